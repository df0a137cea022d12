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

// compare returns an error that names the first place where two files differ in meaning. Objects are matched by kind,
// namespace and name, whatever their order. Of a ResourceList only the items count: results are one function's own.
func compare(left, right string) error {
	a, err := objects(left)
	if err != nil {
		return err
	}
	b, err := objects(right)
	if err != nil {
		return err
	}
	for _, key := range sortedKeys(a, b) {
		if _, found := a[key]; !found {
			return fmt.Errorf("%s is only in %s", key, right)
		}
		if _, found := b[key]; !found {
			return fmt.Errorf("%s is only in %s", key, left)
		}
		if at := difference("", a[key], b[key]); at != "" {
			return fmt.Errorf("%s differs at %s", key, at)
		}
	}
	fmt.Printf("%d objects are equal in meaning\n", len(a))
	return nil
}

// objects reads a file's objects by `kind namespace/name`; two of one name are an error.
func objects(path string) (map[string]any, error) {
	list, err := documents(path)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no objects", path)
	}
	byName := map[string]any{}
	for i, object := range list {
		fields, _ := object.(map[string]any)
		metadata, _ := fields["metadata"].(map[string]any)
		if metadata["name"] == nil {
			return nil, fmt.Errorf("%s: object %d has no metadata.name", path, i+1)
		}
		key := fmt.Sprintf("%v/%v %v/%v", fields["apiVersion"], fields["kind"], metadata["namespace"], metadata["name"])
		if _, found := byName[key]; found {
			return nil, fmt.Errorf("%s has %s twice", path, key)
		}
		byName[key] = object
	}
	return byName, nil
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
		for _, key := range sortedKeys(a, b) {
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

// sortedKeys returns the keys of both maps.
func sortedKeys(a, b map[string]any) []string {
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
	return sorted
}
