// Command gojq runs jq expressions, with the library by which Argo CD runs those of ignoreDifferences, on the documents
// of a YAML or JSON stream. Its own command line cannot be built: a module of that is not on the Go module proxy.
//
//	gojq [-r] EXPRESSION [FILE]      one compact JSON value per line, keys sorted; -r prints strings without quotes
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/itchyny/gojq"
	"go.yaml.in/yaml/v3"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gojq:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	raw := len(args) > 0 && args[0] == "-r"
	if raw {
		args = args[1:]
	}
	if len(args) < 1 || len(args) > 2 {
		return errors.New("usage: gojq [-r] EXPRESSION [FILE]")
	}
	query, err := gojq.Parse(args[0])
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	in := io.Reader(os.Stdin)
	if len(args) == 2 {
		file, err := os.Open(args[1])
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	documents := yaml.NewDecoder(in)
	for {
		var document any
		if err := documents.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := results(query, document, raw); err != nil {
			return err
		}
	}
}

// results prints what the query makes of one document.
func results(query *gojq.Query, document any, raw bool) error {
	values := query.Run(document)
	for {
		value, more := values.Next()
		if !more {
			return nil
		}
		if err, failed := value.(error); failed {
			return err
		}
		if text, isText := value.(string); isText && raw {
			fmt.Println(text)
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		fmt.Println(string(text))
	}
}
