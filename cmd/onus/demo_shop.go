package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/callee"
	"github.com/onus-ledger/onus/agent/service"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

const (
	shopID  = "spiffe://example.com/hardware-shop"
	shopURL = "http://shop.example.com"
)

// shop is a vendor's service: it lets in agents that prove who they are, and
// records each request, with the quantity that it saw itself.
type shop struct {
	srv       *http.Server
	recorder  *service.Recorder
	transport *http.Transport // for which it is at shopURL
	orders    atomic.Int64
}

// openShop registers the service and serves it.
func (d *demo) openShop(ctx context.Context) (*shop, error) {
	key, pub, err := d.key("hardware-shop")
	if err != nil {
		return nil, err
	}
	reg := &onusv1.Service{Id: shopID, Operator: itPlatform, DisplayName: "Hardware shop", Locations: []string{shopURL}, Records: true}
	if err := d.admin.ensure(ctx, &onusv1.Registration{Subject: &onusv1.Registration_Service{Service: reg}}, &onusv1.KeyBinding{Service: shopID}, pub); err != nil {
		return nil, err
	}
	gate, err := callee.New(callee.Config{Ledger: d.line, Audience: shopID, URL: shopURL, CheckGrants: true})
	if err != nil {
		return nil, err
	}
	s := &shop{}
	s.recorder, err = service.New(service.Config{Ledger: d.line, Signer: key, ID: shopID,
		Describe: func(*http.Request) service.Seen {
			return service.Seen{Element: agent.Element{Type: "order", Action: "create", Location: shopURL + "/orders"}}
		}})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", s.order)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.srv = &http.Server{Handler: gate.Middleware(s.recorder.Middleware(mux)), ReadHeaderTimeout: 10 * time.Second}
	go s.srv.Serve(ln)
	s.transport = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, ln.Addr().String())
	}}
	return s, nil
}

func (s *shop) close(ctx context.Context) {
	s.transport.CloseIdleConnections()
	s.recorder.Close(ctx)
	s.srv.Close()
}

// shopOrder is what the shop takes.
type shopOrder struct {
	Total    string `json:"total"`
	Currency string `json:"currency"`
	Laptops  string `json:"laptops"`
}

// order takes an order, and says what it saw.
func (s *shop) order(w http.ResponseWriter, r *http.Request) {
	var o shopOrder
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<10)).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	number := fmt.Sprintf("order-%d", s.orders.Add(1))
	seen := service.Seen{RequestID: number, Element: agent.Element{Type: "order", Action: "create",
		Location: shopURL + "/orders", Amount: o.Total, Unit: o.Currency, Quantity: o.Laptops}}
	if err := service.Saw(r.Context(), seen); err != nil { // before anything is ordered
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintln(w, number)
}

// placeOrder is the agent's call.
func placeOrder(ctx context.Context, c *http.Client, e agent.Element) (agent.Outcome, error) {
	body, err := json.Marshal(shopOrder{Total: e.Amount, Currency: e.Unit, Laptops: e.Quantity})
	if err != nil {
		return agent.Outcome{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, shopURL+"/orders", bytes.NewReader(body))
	if err != nil {
		return agent.Outcome{}, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return agent.Outcome{}, err
	}
	defer resp.Body.Close()
	number, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status + ": " + string(number))
	}
	return agent.Outcome{Target: agent.Allowed, RequestID: string(bytes.TrimSpace(number))}, err
}
