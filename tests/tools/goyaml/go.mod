// How Kubernetes, Helm and kustomize read YAML: what edited files are judged by: `make test-tools`.
module gitops-bot/tests/tools/goyaml

go 1.26.0

require (
	go.yaml.in/yaml/v3 v3.0.5
	sigs.k8s.io/yaml v1.6.0
)

require go.yaml.in/yaml/v2 v2.4.4 // indirect
