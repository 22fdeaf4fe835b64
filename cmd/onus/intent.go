package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/spf13/cobra"
)

func newIntent() *cobra.Command {
	var (
		r                      remote
		client, key, userToken string
		asks, text             string
		requested              []string
		asJSON                 bool
	)
	cmd := &cobra.Command{
		Use:   "intent --key FILE --user-token FILE --asks SPIFFE-ID --text TEXT",
		Short: "Log what a user asks for, bound to the user",
		Long: `Log a user's intent from where the user works: a user client signs, with the
user's token that was issued to it, or the key of the user's device (then without
a token). What is asked for in terms that can be compared, --requested, is then
the user's own word, and lets the agent that is asked do it until the token
expires.

It prints the record's id, how strong the user's word is, and the link that the
agent needs to name the intent as its parent.`,
		Example: `  onus intent --key chat.key --user-token id.jwt --asks spiffe://example.com/k8s-agent \
    --text "why is my pod failing?" --requested k8s.pods:get@https://k8s.example.com/api --log-key log.vkey`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if text == "" {
				return usageError{errors.New("say what the user asks for: --text TEXT")}
			}
			elements, err := parseElements("--requested", requested)
			if err != nil {
				return err
			}
			p, err := r.holder(cmd.Context(), key)
			if err != nil {
				return err
			}
			if client != "" && p.author.GetClient() != client {
				return fmt.Errorf("the key is that of %s, not of client %s", authorName(p.author), client)
			}
			if p.author.GetClient() == "" && p.author.GetUser() == "" {
				return fmt.Errorf("the key is that of %s: a user's intent is signed by a user client, or by the key of the user's device; an agent logs what it heard with onus submit", authorName(p.author))
			}
			t, contents := newText(text)
			m := &onusv1.Record{Asks: asks, Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{
				Intent: &onusv1.Intent{Text: t, Requested: elements}}}}
			token := ""
			switch {
			case userToken != "":
				u, err := p.userWord(cmd, userToken)
				if err != nil {
					return err
				}
				u.fill(m)
				token = u.token
			case p.author.GetClient() != "":
				return usageError{errors.New("a user client speaks for its user: give the user's token, --user-token FILE")}
			}
			proven, err := p.signWith(cmd.Context(), m, contents, token)
			if err != nil {
				return err
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), p.last)
			}
			printLogged(cmd.OutOrStdout(), proven, p.last)
			if p.author.GetUser() != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "  user: L3, %s\n", assuranceWord(3))
			}
			if who := strings.TrimSpace(m.GetUser() + " " + m.GetSession()); who != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "  for: %s\n", who)
			}
			link := agent.Link{Record: proven.Record.ID, Origin: p.key.Origin()}
			fmt.Fprintf(cmd.OutOrStdout(), "  link: %s\n", link)
			return nil
		},
	}
	r.writeFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&client, "client", "", "the user client; checked against the key, where it is given")
	f.StringVar(&key, "key", "", "the private key of the user client, or of the user's device")
	f.StringVar(&userToken, "user-token", "", userTokenUsage)
	f.StringVar(&asks, "asks", "", "the agent class that is asked: a SPIFFE ID")
	f.StringVar(&text, "text", "", "the user's words; committed to, and stored beside the log")
	f.StringArrayVar(&requested, "requested", nil, "what is asked for, "+elementUsage+"; may be repeated")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
