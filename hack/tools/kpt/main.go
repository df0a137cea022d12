// Command kpt is the upstream kpt with its `fn` commands only (eval, render, source, sink), unchanged. The other
// commands are left out because `kpt alpha rollouts` needs a module that the Go module proxy does not have.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/kptdev/kpt/commands/fn"
	"github.com/kptdev/kpt/pkg/lib/errors/resolver"
	"github.com/kptdev/kpt/pkg/printer"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kustomize/kyaml/commandutil"
)

var version = "unknown"

func main() {
	os.Exit(run())
}

// run does what kpt's own main and run.GetMain do, for the commands that are kept.
func run() int {
	klog.InitFlags(nil)
	if err := os.Setenv(commandutil.EnableAlphaCommmandsEnvName, "true"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	root := &cobra.Command{Use: "kpt", SilenceUsage: true, SilenceErrors: true}
	root.PersistentFlags().AddGoFlagSet(flag.CommandLine)
	root.PersistentFlags().BoolVar(&printer.TruncateOutput, "truncate-output", true, "Enable the truncation for output")
	ctx := printer.WithContext(context.Background(), printer.New(root.OutOrStdout(), root.ErrOrStderr()))
	root.AddCommand(fn.GetCommand(ctx, "kpt"))
	root.AddCommand(&cobra.Command{
		Use:   "version",
		Short: "Print the version number of kpt",
		Run:   func(*cobra.Command, []string) { fmt.Println(version) },
	})
	if err := root.ExecuteContext(ctx); err != nil {
		if resolved, ok := resolver.ResolveError(err); ok {
			if resolved.Message != "" {
				fmt.Fprintln(os.Stderr, resolved.Message)
			}
			return resolved.ExitCode
		}
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1
	}
	return 0
}
