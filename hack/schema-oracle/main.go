// Says what the API server's own packages answer to the creation of an AgentRuntime.
//
//	mutate.py COUNT SEED | schema-oracle DIR
//
// Standard input holds lines {"name": ..., "profile": ..., "object": {...}}; DIR holds PROFILE.yaml, the
// CustomResourceDefinition of each profile. Standard output holds lines {"input", "name", "output", "profile"}.
// The steps are those of customResourceREST and its decoder, in their order.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sort"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/api/operation"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

type loaded struct {
	crd        *v1.CustomResourceDefinition
	structural *schema.Structural
	validator  validation.SchemaValidator
}

var cache = map[string]*loaded{}

func load(file string) *loaded {
	if l, ok := cache[file]; ok {
		return l
	}
	text, err := os.ReadFile(file)
	check(err)
	crd := &v1.CustomResourceDefinition{}
	check(yaml.UnmarshalStrict(text, crd))
	in := &apiextensions.CustomResourceValidation{}
	check(v1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(crd.Spec.Versions[0].Schema, in, nil))
	s, err := schema.NewStructural(in.OpenAPIV3Schema)
	check(err)
	if errs := schema.ValidateStructural(nil, s); len(errs) > 0 {
		panic(errs.ToAggregate())
	}
	v, _, err := validation.NewSchemaValidator(in.OpenAPIV3Schema)
	check(err)
	l := &loaded{crd, s, v}
	cache[file] = l
	return l
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

type answer struct {
	Allowed bool           `json:"allowed"`
	Errors  []string       `json:"errors"`
	Pruned  []string       `json:"prunedPaths"`
	Stored  map[string]any `json:"stored"`
}

func create(l *loaded, u map[string]any) (out answer) {
	out.Errors = []string{}
	fail := func(err error) answer {
		out.Errors = append(out.Errors, err.Error())
		out.Stored = nil
		out.Pruned = []string{}
		return out
	}
	meta, found, paths, err := objectmeta.GetObjectMetaWithOptions(u, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return fail(err)
	}
	out.Pruned = append([]string{}, paths...)
	out.Pruned = append(out.Pruned, pruning.PruneWithOptions(u, l.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})...)
	sort.Strings(out.Pruned)
	defaulting.PruneNonNullableNullsWithoutDefaults(u, l.structural)
	if err, p := objectmeta.CoerceWithOptions(nil, u, l.structural, false, objectmeta.CoerceOptions{ReturnUnknownFieldPaths: true}); err != nil {
		return fail(err)
	} else {
		out.Pruned = append(out.Pruned, p...)
	}
	if found {
		check(objectmeta.SetObjectMeta(u, meta))
	}
	defaulting.Default(u, l.structural)
	delete(u, "status")
	out.Stored = u
	var errs field.ErrorList
	obj := &unstructured.Unstructured{Object: u}
	gv := l.crd.Spec.Group + "/" + l.crd.Spec.Versions[0].Name
	if obj.GetKind() != l.crd.Spec.Names.Kind {
		errs = append(errs, field.Invalid(field.NewPath("kind"), obj.GetKind(), fmt.Sprintf("must be %v", l.crd.Spec.Names.Kind)))
	}
	if obj.GetAPIVersion() != gv {
		errs = append(errs, field.Invalid(field.NewPath("apiVersion"), obj.GetAPIVersion(), fmt.Sprintf("must be %v", gv)))
	}
	if len(errs) == 0 {
		m := &metav1.ObjectMeta{}
		if raw, ok := u["metadata"].(map[string]any); ok {
			check(runtime.DefaultUnstructuredConverter.FromUnstructured(raw, m))
		}
		if m.Name == "" && m.GenerateName != "" {
			m.Name = "generated" // the server appends random characters
		}
		if m.Namespace == "" {
			m.Namespace = "default" // the server takes it from the request's path
		}
		errs = append(errs, apivalidation.ValidateObjectMetaDeclaratively(context.Background(), operation.Create, m, nil, true, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"), true)...)
		errs = append(errs, validation.ValidateCustomResource(nil, u, l.validator)...)
	}
	for _, e := range errs {
		out.Errors = append(out.Errors, e.Error())
	}
	sort.Strings(out.Errors)
	out.Errors = slices.Compact(out.Errors) // as ErrorList.ToAggregate does
	out.Allowed = len(out.Errors) == 0
	return out
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var c struct {
			Name    string          `json:"name"`
			Profile string          `json:"profile"`
			Object  json.RawMessage `json:"object"`
		}
		check(json.Unmarshal(line, &c))
		var u map[string]any
		check(utiljson.Unmarshal(c.Object, &u))
		a := create(load(os.Args[1]+"/"+c.Profile+".yaml"), u)
		b := &bytesEncoder{}
		b.write(w, map[string]any{"name": c.Name, "profile": c.Profile, "input": c.Object, "output": a})
	}
}

type bytesEncoder struct{}

func (bytesEncoder) write(w *bufio.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	check(e.Encode(v))
}
