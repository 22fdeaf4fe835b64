package main

import (
	"strings"
	"testing"
)

func TestParseGrantElements(t *testing.T) {
	for in, want := range map[string]string{
		"order:create@https://shop.example.com/orders max-item=5000 max-total=50000.00 unit=EUR": "order:create https://shop.example.com/orders, at most 5000 EUR an item, at most 50000.00 EUR in total",
		"k8s.pod:get":                     "k8s.pod:get",
		"urn:x:read@urn:isbn:1":           "urn:x:read urn:isbn:1",
		"mail:send@mailto:a@example.com":  "mail:send mailto:a@example.com",
		"*":                               "*:*",
		"campaign:read data=own data=all": "campaign:read [own, all]",
		"row:read id=7":                   "row:read “7”",
	} {
		got, err := parseGrantElements("--may", []string{in})
		if err != nil || len(got) != 1 || describeGrantElement(got[0]) != want {
			t.Errorf("%q: %v, %v, want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"":                          "--may is empty",
		"read":                      "is not type:action",
		":read":                     "is not type:action",
		"order:":                    "is not type:action",
		"order:create amount=3":     `"amount" is not known`,
		"order:create max-item=":    `"max-item=" is not KEY=VALUE`,
		"order:create max-item 300": `"max-item" is not KEY=VALUE`,
	} {
		if _, err := parseGrantElements("--may", []string{in}); err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != 2 {
			t.Errorf("%q: %v, want %q and exit code 2", in, err, want)
		}
	}
}

func TestParseElements(t *testing.T) {
	got, err := parseElements("--requested", []string{"order:create@https://shop.example.com amount=48000 unit=EUR quantity=40 recipient=u-x"})
	if err != nil || len(got) != 1 || got[0].GetRecipient() != "u-x" || describeElement(got[0]) != "order:create https://shop.example.com 48000 EUR × 40" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := parseElements("--requested", []string{"order:create max-item=5"}); err == nil {
		t.Error("a limit is taken for something that is asked for")
	}
}

func TestParseApprovals(t *testing.T) {
	got, err := parseApprovals("--approval", []string{"order:create mail:* above=10000 unit=EUR approvers=anna,ben assurance=3"})
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	const want = "order:create, mail:* above 10000 EUR, by anna or ben, L3 or more (signed by the user's own key)"
	if s := describeApproval(got[0]); s != want {
		t.Errorf("got %q, want %q", s, want)
	}
	for in, want := range map[string]string{"": "names no operation", "above=3 unit=EUR": "names no operation", "*:* assurance=4": "is not known", "*:* by=anna": "is not known"} {
		if _, err := parseApprovals("--approval", []string{in}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}
