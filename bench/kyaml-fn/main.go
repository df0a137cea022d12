// Command kyaml-fn is the peer of `make bench`: the transform of `kubectl-skills render --profile pr332-merged` as one
// would write it with kyaml, kustomize's own library for KRM functions.
//
//	kyaml-fn < list.yaml            a KRM function: ResourceList on stdin, ResourceList on stdout
//	kyaml-fn --stream < all.yaml    the same on a plain multi-document stream
//	kyaml-fn --compare A B          exits 1 and names the first difference if the files differ in meaning
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/kio"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kyaml-fn:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 0:
		// nil: stdin and stdout, the reader's annotations kept, as every exec function does.
		return framework.Execute(framework.ResourceListProcessorFunc(mountSkills), nil)
	case len(args) == 1 && args[0] == "--stream":
		// Without a list around the documents nobody needs the reader's index annotations.
		source := &kio.ByteReadWriter{OmitReaderAnnotations: true}
		return framework.Execute(framework.ResourceListProcessorFunc(mountSkills), source)
	case len(args) == 3 && args[0] == "--compare":
		return compare(args[1], args[2])
	default:
		return fmt.Errorf("usage: kyaml-fn [--stream | --compare A B]")
	}
}
