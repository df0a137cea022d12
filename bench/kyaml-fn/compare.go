package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sort"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// compare returns an error that names the first place where two files differ in meaning. Of a ResourceList only the
// items count: results are one function's own business.
func compare(left, right string) error {
	a, err := documents(left)
	if err != nil {
		return err
	}
	b, err := documents(right)
	if err != nil {
		return err
	}
	if len(a) != len(b) {
		return fmt.Errorf("%s has %d objects, %s has %d", left, len(a), right, len(b))
	}
	for i := range a {
		if at := difference("", a[i], b[i]); at != "" {
			return fmt.Errorf("object %d differs at %s", i+1, at)
		}
	}
	fmt.Printf("%d objects are equal in meaning\n", len(a))
	return nil
}

// documents reads all objects of a stream, a ResourceList or a List.
func documents(path string) ([]any, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var objects []any
	for {
		var object any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: object %d: %w", path, len(objects)+1, err)
		}
		if object == nil {
			continue
		}
		if list, ok := object.(map[string]any); ok {
			if items, ok := list["items"].([]any); ok {
				objects = append(objects, items...)
				continue
			}
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// difference returns the path of the first value that is not the same on both sides, with the values, or "".
func difference(path string, a, b any) string {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			break
		}
		keys := map[string]bool{}
		for key := range a {
			keys[key] = true
		}
		for key := range b {
			keys[key] = true
		}
		sorted := make([]string, 0, len(keys))
		for key := range keys {
			sorted = append(sorted, key)
		}
		sort.Strings(sorted)
		for _, key := range sorted {
			left, inLeft := a[key]
			right, inRight := b[key]
			if !inLeft || !inRight {
				return fmt.Sprintf("%s.%s: only on the %s side", path, key, map[bool]string{true: "first", false: "second"}[inLeft])
			}
			if at := difference(path+"."+key, left, right); at != "" {
				return at
			}
		}
		return ""
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			break
		}
		for i := range a {
			if at := difference(fmt.Sprintf("%s[%d]", path, i), a[i], b[i]); at != "" {
				return at
			}
		}
		return ""
	}
	if reflect.DeepEqual(a, b) {
		return ""
	}
	return fmt.Sprintf("%s: %#v, %#v", path, a, b)
}
