// Command go-oracle says how Kubernetes' own YAML library reads a document. Each line on stdin is one document as a
// JSON string; each line on stdout is {"value": ...}, or {"error": "..."} where Go refuses it. A number in the value is
// {"number": "1e+21"}, its text as Go writes it: not every JSON reader gives back the same float. A document that is a
// JSON object has its value as JSON too, in "json": Kubernetes tries JSON first.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

// longestLine bounds one document, in bytes of JSON.
const longestLine = 1 << 24

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "go-oracle:", err)
		os.Exit(1)
	}
}

func run() error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 1<<16), longestLine)
	out := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(out)
	for number := 1; lines.Scan(); number++ {
		var document string
		if err := json.Unmarshal(lines.Bytes(), &document); err != nil {
			return fmt.Errorf("line %d is no JSON string: %w", number, err)
		}
		if err := answers.Encode(read(document)); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return out.Flush()
}

// answer has a value or an error.
type answer struct {
	Value any    `json:"value"`
	Error string `json:"error,omitempty"`
	JSON  any    `json:"json,omitempty"`
}

// read is what kubectl and every controller do before they know a type: YAML to JSON.
func read(document string) (result answer) {
	// A panic of the library is a refusal too, and must not end the run.
	defer func() {
		if cause := recover(); cause != nil {
			result.Error = fmt.Sprint("panic: ", cause)
		}
	}()
	object := []byte(document)
	if bytes.HasPrefix(bytes.TrimLeft(object, " \t\r\n"), []byte("{")) && json.Valid(object) {
		if value, err := decode(object); err == nil {
			result.JSON = value
		}
	}
	text, err := yaml.YAMLToJSON([]byte(document))
	if err != nil {
		result.Error = err.Error()
		return result
	}
	if result.Value, err = decode(text); err != nil {
		result.Error = err.Error()
	}
	return result
}

func decode(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return numbersAsText(value), nil
}

// numbersAsText replaces every number below a value.
func numbersAsText(value any) any {
	switch value := value.(type) {
	case json.Number:
		return map[string]string{"number": value.String()}
	case map[string]any:
		for key, inner := range value {
			value[key] = numbersAsText(inner)
		}
	case []any:
		for i, inner := range value {
			value[i] = numbersAsText(inner)
		}
	}
	return value
}
