package peers

import (
	"io"
	"os"
	"testing"

	"k8s.io/klog/v2"
)

// Tessera's and omniwitness's packages log what they do to standard error.
func TestMain(m *testing.M) {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	os.Exit(m.Run())
}
