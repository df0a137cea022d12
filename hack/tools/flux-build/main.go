// Command flux-build prints what Flux's kustomize-controller applies for a Kustomization: the controller's own generator
// writes spec.components, patches, namePrefix, nameSuffix and targetNamespace into the kustomization.yaml of spec.path,
// and its own builder, which runs neither functions nor plugins, builds that.
//
//	flux-build ROOT KUSTOMIZATION.yaml
//
// ROOT is the folder that a GitRepository would bring; it is changed, as the controller changes its copy.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/fluxcd/pkg/kustomize"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func run(root, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var object map[string]any
	if err := yaml.Unmarshal(text, &object); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	path, _, err := unstructured.NestedString(object, "spec", "path")
	if err != nil {
		return err
	}
	dir := filepath.Join(root, path)
	generator := kustomize.NewGenerator(root, unstructured.Unstructured{Object: object})
	if _, err := generator.WriteFile(dir); err != nil {
		return err
	}
	resources, err := kustomize.SecureBuild(root, dir, false)
	if err != nil {
		return err
	}
	out, err := resources.AsYaml()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(out)
	return err
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: flux-build ROOT KUSTOMIZATION.yaml")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "flux-build:", err)
		os.Exit(1)
	}
}
