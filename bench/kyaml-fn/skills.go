package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Skill is one entry of spec.skills; the order of the fields is that of the operator's hash input.
type Skill struct {
	Name       string `yaml:"name" json:"name"`
	Image      string `yaml:"image" json:"image"`
	MountPath  string `yaml:"mountPath" json:"mountPath"`
	PullPolicy string `yaml:"pullPolicy" json:"pullPolicy,omitempty"`
}

// AgentRuntime is what the transform reads of an agent.kagenti.dev/v1alpha1 AgentRuntime.
type AgentRuntime struct {
	Metadata struct {
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	} `yaml:"metadata"`
	Spec struct {
		Type      string `yaml:"type"`
		TargetRef struct {
			Kind string `yaml:"kind"`
			Name string `yaml:"name"`
		} `yaml:"targetRef"`
		Skills []Skill `yaml:"skills"`
	} `yaml:"spec"`
}

// target is the key by which an AgentRuntime's workload is found.
type target struct{ kind, namespace, name string }

// mountSkills carries out every AgentRuntime of the list on the workload that it targets.
func mountSkills(list *framework.ResourceList) error {
	workloads := map[target]*yaml.RNode{}
	var runtimes []*yaml.RNode
	for _, item := range list.Items {
		switch item.GetKind() {
		case "AgentRuntime":
			runtimes = append(runtimes, item)
		case "Deployment", "StatefulSet":
			workloads[target{item.GetKind(), item.GetNamespace(), item.GetName()}] = item
		}
	}
	for _, node := range runtimes {
		var runtime AgentRuntime
		if err := node.YNode().Decode(&runtime); err != nil {
			return fmt.Errorf("AgentRuntime %s: %w", node.GetName(), err)
		}
		key := target{runtime.Spec.TargetRef.Kind, runtime.Metadata.Namespace, runtime.Spec.TargetRef.Name}
		workload, found := workloads[key]
		if !found {
			return fmt.Errorf("AgentRuntime %s/%s: no %s %s", runtime.Metadata.Namespace, runtime.Metadata.Name, key.kind, key.name)
		}
		if err := apply(workload, &runtime); err != nil {
			return fmt.Errorf("AgentRuntime %s/%s: %w", runtime.Metadata.Namespace, runtime.Metadata.Name, err)
		}
	}
	return nil
}

// apply writes labels, annotations, volumes and mounts into one workload.
func apply(workload *yaml.RNode, runtime *AgentRuntime) error {
	hash, err := configHash(runtime)
	if err != nil {
		return err
	}
	if err := workload.PipeE(
		yaml.Tee(yaml.SetLabel("kagenti.io/type", runtime.Spec.Type)),
		yaml.Tee(yaml.SetLabel("app.kubernetes.io/managed-by", "kagenti-operator")),
	); err != nil {
		return err
	}
	if len(runtime.Spec.Skills) > 0 {
		names := make([]string, len(runtime.Spec.Skills))
		for i, skill := range runtime.Spec.Skills {
			names[i] = skill.Name
		}
		text, err := json.Marshal(names)
		if err != nil {
			return err
		}
		if err := workload.PipeE(yaml.SetAnnotation("kagenti.io/skills", string(text))); err != nil {
			return err
		}
	}
	template, err := workload.Pipe(yaml.LookupCreate(yaml.MappingNode, "spec", "template"))
	if err != nil {
		return err
	}
	if err := template.PipeE(
		yaml.Tee(yaml.SetLabel("kagenti.io/type", runtime.Spec.Type)),
		yaml.Tee(yaml.SetAnnotation("kagenti.io/config-hash", hash)),
	); err != nil {
		return err
	}
	return mount(template, runtime.Spec.Skills)
}

// mount sets an image volume and a read-only mount in the first container for every skill, by name.
func mount(template *yaml.RNode, skills []Skill) error {
	if len(skills) == 0 {
		return nil
	}
	volumes, err := template.Pipe(yaml.LookupCreate(yaml.SequenceNode, "spec", "volumes"))
	if err != nil {
		return err
	}
	mounts, err := template.Pipe(
		yaml.Lookup("spec", "containers", "0"),
		yaml.LookupCreate(yaml.SequenceNode, "volumeMounts"),
	)
	if err != nil {
		return err
	}
	for _, skill := range skills {
		image := map[string]string{"reference": skill.Image}
		if skill.PullPolicy != "" {
			image["pullPolicy"] = skill.PullPolicy
		}
		name := "skill-" + skill.Name
		volume, err := yaml.FromMap(map[string]interface{}{"name": name, "image": image})
		if err != nil {
			return err
		}
		mount, err := yaml.FromMap(map[string]interface{}{"name": name, "mountPath": skill.MountPath, "readOnly": true})
		if err != nil {
			return err
		}
		byName := yaml.ElementSetter{Keys: []string{"name"}, Values: []string{name}}
		byName.Element = volume.YNode()
		if err := volumes.PipeE(byName); err != nil {
			return err
		}
		byName.Element = mount.YNode()
		if err := mounts.PipeE(byName); err != nil {
			return err
		}
	}
	return nil
}

// configHash is the operator's hash where no ConfigMap and only type and skills of the spec go in, as in the
// manifests of the benchmark.
func configHash(runtime *AgentRuntime) (string, error) {
	input := struct {
		Type   string  `json:"type"`
		Skills []Skill `json:"skills,omitempty"`
	}{runtime.Spec.Type, runtime.Spec.Skills}
	text, err := json.Marshal(input)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
