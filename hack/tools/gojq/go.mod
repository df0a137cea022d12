module github.com/kagenti/kubectl-skills/hack/tools/gojq

go 1.26.0

require (
	github.com/itchyny/gojq v0.12.20
	go.yaml.in/yaml/v3 v3.0.5
)

require github.com/itchyny/timefmt-go v0.1.9 // indirect
