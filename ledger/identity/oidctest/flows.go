package oidctest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// Login says who logs in where, and what the ID token is to hold.
type Login struct {
	User   string
	Client string
	// Scopes are asked for besides openid.
	Scopes []string
	// Nonce may be a device key's thumbprint, which the token then binds.
	Nonce string
	// DeviceKey is a thumbprint that the token is to have as cnf.jkt.
	DeviceKey string
	// Details is a JSON array, RFC 9396's authorization_details.
	Details string
}

type tokens struct {
	Access string `json:"access_token"`
	ID     string `json:"id_token"`
}

var loginID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// Login takes a user through the authorization code flow with PKCE, as a
// browser would: OpenID Connect Core, section 3.1; RFC 7636. The access token
// is opaque.
func (p *Provider) Login(l Login) (idToken, accessToken string) {
	p.t.Helper()
	redirect := p.known.Clients[l.Client].RedirectURI
	verifier, state := rand.Text()+rand.Text(), rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	ask := url.Values{
		"response_type":  {"code"},
		"client_id":      {l.Client},
		"redirect_uri":   {redirect},
		"scope":          {strings.Join(append([]string{"openid"}, l.Scopes...), " ")},
		"state":          {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	for name, v := range map[string]string{"nonce": l.Nonce, "dpop_jkt": l.DeviceKey, "authorization_details": l.Details} {
		if v != "" {
			ask.Set(name, v)
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	// Back at the client's address the browser's part is done.
	browser := &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), redirect+"?") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, err := http.NewRequest(http.MethodGet, p.endpoints.Authorization+"?"+ask.Encode(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	back := p.submit(browser, page, l.User)
	location, err := back.Location()
	if err != nil {
		p.t.Fatal(err)
	}
	if location.Query().Get("state") != state || location.Query().Get("code") == "" {
		p.t.Fatalf("the login came back with %s", location)
	}
	var got tokens
	p.post(p.endpoints.Token, l.Client, url.Values{
		"grant_type":   {"authorization_code"},
		"code":         {location.Query().Get("code")},
		"redirect_uri": {redirect}, "code_verifier": {verifier},
	}, &got)
	return got.ID, got.Access
}

// submit opens the login page that a request leads to, fills it in, and returns
// the answer that sends the browser back to the client.
func (p *Provider) submit(browser *http.Client, page *http.Request, user string) *http.Response {
	p.t.Helper()
	shown, body := p.do(browser, page, http.StatusOK)
	id := loginID.FindSubmatch(body)
	if id == nil {
		p.t.Fatalf("no login form: %s", body)
	}
	form := url.Values{"id": {string(id[1])}, "username": {user}, "password": {p.known.Users[user].Password}}
	submit, err := http.NewRequest(http.MethodPost, shown.Request.URL.Scheme+"://"+shown.Request.URL.Host+"/login/username", strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	submit.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	back, _ := p.do(browser, submit, http.StatusFound)
	return back
}

// Browse takes a user through the login that a client has sent the browser to,
// at that address, and returns the address at which the client gets the answer;
// it does not go there. The browser keeps cookies, and follows no redirect to a
// path /sign-in/callback.
func (p *Provider) Browse(browser *http.Client, address, user string) string {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	back := p.submit(browser, req, user)
	location, err := back.Location()
	if err != nil {
		p.t.Fatal(err)
	}
	return location.String()
}

// ClientToken gets a token of a client itself, a JWT with the client as its
// subject, for an audience: RFC 6749, section 4.4; RFC 8707. It serves as an
// actor's token, and as a workload's.
func (p *Provider) ClientToken(client, audience string) string {
	p.t.Helper()
	var got tokens
	p.post(p.endpoints.Token, client, url.Values{"grant_type": {"client_credentials"}, "resource": {audience}}, &got)
	return got.Access
}

const tokenType = "urn:ietf:params:oauth:token-type:"

// Exchange exchanges a user's ID token, from a login or from an exchange
// before, or a login's access token, for an ID token with which client acts
// for the user at the audience. Its act names the client, and within it those
// who acted before. RFC 8693.
func (p *Provider) Exchange(subjectToken, client, audience string) string {
	p.t.Helper()
	kind := "access_token" // opaque
	if strings.Count(subjectToken, ".") == 2 {
		kind = "id_token"
	}
	var got tokens
	p.post(p.endpoints.Token, client, url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":        {subjectToken},
		"subject_token_type":   {tokenType + kind},
		"actor_token":          {p.ClientToken(client, p.Issuer())},
		"actor_token_type":     {tokenType + "access_token"},
		"requested_token_type": {tokenType + "id_token"},
		"audience":             {audience},
	}, &got)
	return got.Access // RFC 8693, section 2.2.1: by that name, whatever it is
}
