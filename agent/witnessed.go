package agent

import (
	"fmt"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/durationpb"
)

// holdToWitnesses reads the witness policy of the configuration.
func (c *Client) holdToWitnesses() error {
	switch w := c.cfg.WitnessWait; {
	case w < 0 || w > time.Minute:
		return fmt.Errorf("config: WitnessWait is %v: at most a minute is possible", w)
	case w >= c.cfg.Timeout:
		return fmt.Errorf("config: WitnessWait, %v, is not less than Timeout, %v: an attempt would be given up while the record waits for witnesses", w, c.cfg.Timeout)
	case c.cfg.Witnesses == "" && w > 0:
		return fmt.Errorf("config: WitnessWait is set without Witnesses: set the policy that says who they are")
	case c.cfg.Witnesses == "":
		return nil
	case w == 0:
		c.cfg.WitnessWait = min(5*time.Second, c.cfg.Timeout/2)
	}
	p, err := tree.ParsePolicy([]byte(c.cfg.Witnesses))
	if err != nil {
		return fmt.Errorf("config: Witnesses: %w", err)
	}
	c.witnesses = p
	return nil
}

// wait returns what submissions ask for.
func (c *Client) wait() (onusv1.Wait, *durationpb.Duration) {
	if c.witnesses == nil {
		return onusv1.Wait_WAIT_UNSPECIFIED, nil
	}
	return onusv1.Wait_WAIT_WITNESSED, durationpb.New(c.cfg.WitnessWait)
}

// witnessed holds a receipt's checkpoint to the policy. That it is not
// satisfied is unwitnessed; err is a cosignature that is no good.
func (c *Client) witnessed(checkpoint string) (by []tree.Cosignature, unwitnessed, err error) {
	if c.witnesses == nil {
		return nil, nil, nil
	}
	_, by, err = tree.OpenCosigned([]byte(checkpoint), c.key, c.witnesses)
	if err != nil {
		return nil, nil, err
	}
	return by, c.witnesses.Check(by), nil
}
