// Command kubectl is the upstream kubectl, built from its module k8s.io/kubectl as k8s.io/kubernetes/cmd/kubectl
// builds it. That main package itself cannot be had with `go install`: its go.mod has replace directives.
package main

import (
	"os"

	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	// As upstream's main: errors are printed by kubectl's own printer, and usage is not printed after each.
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
	os.Exit(0)
}
