// goyaml reads YAML as Kubernetes and Helm do, for tests that ask what an edited file means to them.
//
// Each line of input is a JSON array of YAML streams in base64. For each stream a line of JSON comes out: an object with
// "kubernetes" (the decoder behind sigs.k8s.io/yaml) and "yaml3" (go.yaml.in/yaml/v3, which kustomize uses), each an
// object with "documents" or "error". Numbers, dates and bytes that JSON has no word for are objects with one key "!".
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	yaml3 "go.yaml.in/yaml/v3"
	kubernetes "sigs.k8s.io/yaml/goyaml.v2"
)

type decoder interface{ Decode(any) error }

func read(from decoder) map[string]any {
	documents := []any{}
	for {
		var document any
		err := from.Decode(&document)
		if errors.Is(err, io.EOF) {
			return map[string]any{"documents": documents}
		}
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		documents = append(documents, plain(document))
	}
}

func name(key any) string {
	switch is := key.(type) {
	case string:
		return is
	case nil:
		return "null"
	default:
		return fmt.Sprint(is)
	}
}

func plain(value any) any {
	switch is := value.(type) {
	case map[any]any:
		out := map[string]any{}
		for key, below := range is {
			out[name(key)] = plain(below)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, below := range is {
			out[key] = plain(below)
		}
		return out
	case []any:
		out := make([]any, len(is))
		for at, below := range is {
			out[at] = plain(below)
		}
		return out
	case float64:
		if math.IsNaN(is) || math.IsInf(is, 0) {
			return map[string]any{"!": fmt.Sprint(is)}
		}
		return is
	case time.Time:
		return map[string]any{"!": is.String()}
	case []byte:
		return map[string]any{"!": string(is)}
	default:
		return is
	}
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var streams []string
			if broken := json.Unmarshal(line, &streams); broken != nil {
				panic(broken)
			}
			for _, stream := range streams {
				data, broken := base64.StdEncoding.DecodeString(stream)
				if broken != nil {
					panic(broken)
				}
				answer := map[string]any{
					"kubernetes": read(kubernetes.NewDecoder(bytes.NewReader(data))),
					"yaml3":      read(yaml3.NewDecoder(bytes.NewReader(data))),
				}
				if broken := out.Encode(answer); broken != nil {
					panic(broken)
				}
			}
		}
		if err != nil {
			return
		}
	}
}
