"""Give the sources of Kubernetes 1.20 Indexed Jobs (since 1.21): ``python3 indexed_jobs.py FOLDER``.

The field ``completionMode`` of Jobs, and pods with the annotation and the variable of their index, as far as nbdeploy
needs it: one pod an index, and a failed or deleted pod's index is started again. This is a change of ours.
"""

import sys
from pathlib import Path

_API = "staging/src/k8s.io/api/batch/v1"
_CONVERSION = "\tout.TTLSecondsAfterFinished = in.TTLSecondsAfterFinished\n\tout.Selector = in.Selector\n"
_TTL = "TTLSecondsAfterFinished"

_CHANGES = (
    (
        f"{_API}/types.go",
        f'\t{_TTL} *int32 `json:"ttlSecondsAfterFinished,omitempty" '
        'protobuf:"varint,8,opt,name=ttlSecondsAfterFinished"`\n',
        "\n\t// completionMode is NonIndexed (default) or Indexed: each pod has an index.\n\t// +optional\n"
        '\tCompletionMode string `json:"completionMode,omitempty" protobuf:"bytes,9,opt,name=completionMode"`\n',
    ),
    ("pkg/apis/batch/types.go", f"\t{_TTL} *int32\n", "\n\t// +optional\n\tCompletionMode string\n"),
    (
        f"{_API}/generated.pb.go",
        "func (m *JobSpec) MarshalToSizedBuffer(dAtA []byte) (int, error) {\n\ti := len(dAtA)\n\t_ = i\n"
        "\tvar l int\n\t_ = l\n",
        '\tif m.CompletionMode != "" {\n\t\ti -= len(m.CompletionMode)\n\t\tcopy(dAtA[i:], m.CompletionMode)\n'
        "\t\ti = encodeVarintGenerated(dAtA, i, uint64(len(m.CompletionMode)))\n\t\ti--\n\t\tdAtA[i] = 0x4a\n\t}\n",
    ),
    (
        f"{_API}/generated.pb.go",
        f"\tif m.{_TTL} != nil {{\n\t\tn += 1 + sovGenerated(uint64(*m.{_TTL}))\n\t}}\n",
        "\tif l = len(m.CompletionMode); l > 0 {\n\t\tn += 1 + l + sovGenerated(uint64(l))\n\t}\n",
    ),
    (
        f"{_API}/generated.pb.go",
        f"\t\t\tm.{_TTL} = &v\n",
        "\t\tcase 9:\n\t\t\tif wireType != 2 {\n"
        '\t\t\t\treturn fmt.Errorf("proto: wrong wireType = %d for field CompletionMode", wireType)\n\t\t\t}\n'
        "\t\t\tvar length uint64\n\t\t\tfor shift := uint(0); ; shift += 7 {\n"
        "\t\t\t\tif shift >= 64 {\n\t\t\t\t\treturn ErrIntOverflowGenerated\n\t\t\t\t}\n"
        "\t\t\t\tif iNdEx >= l {\n\t\t\t\t\treturn io.ErrUnexpectedEOF\n\t\t\t\t}\n"
        "\t\t\t\tb := dAtA[iNdEx]\n\t\t\t\tiNdEx++\n\t\t\t\tlength |= uint64(b&0x7F) << shift\n"
        "\t\t\t\tif b < 0x80 {\n\t\t\t\t\tbreak\n\t\t\t\t}\n\t\t\t}\n"
        "\t\t\tif length > uint64(l-iNdEx) {\n\t\t\t\treturn io.ErrUnexpectedEOF\n\t\t\t}\n"
        "\t\t\tm.CompletionMode = string(dAtA[iNdEx : iNdEx+int(length)])\n\t\t\tiNdEx += int(length)\n",
    ),
    (
        "pkg/controller/job/job_controller.go",
        "\t\tdiff := wantActive - active\n",
        "\t\tindexes, next := freeIndexes(job, pods), 0\n",
    ),
)  # fmt: skip
"""A file, a text that it has once, and what comes behind it."""

_REPLACED = (
    ("jm.manageJob(activePods, succeeded, &job)", "jm.manageJob(activePods, succeeded, &job, pods)"),
    (
        "manageJob(activePods []*v1.Pod, succeeded int32, job *batch.Job)",
        "manageJob(activePods []*v1.Pod, succeeded int32, job *batch.Job, pods []*v1.Pod)",
    ),
    ("\t\t\t\tgo func() {\n\t\t\t\t\tdefer wait.Done()\n\t\t\t\t\terr := jm.podControl",
     "\t\t\t\ttemplate := templateOf(job, indexes, next)\n\t\t\t\tnext++\n"
     "\t\t\t\tgo func() {\n\t\t\t\t\tdefer wait.Done()\n\t\t\t\t\terr := jm.podControl"),
    ("CreatePodsWithControllerRef(job.Namespace, &job.Spec.Template,",
     "CreatePodsWithControllerRef(job.Namespace, template,"),
)  # fmt: skip
"""Texts of the controller of Jobs, and what takes their place."""

_INDEXES = """package job

import (
	"strconv"

	batch "k8s.io/api/batch/v1"
	"k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/controller"
)

const indexAnnotation = "batch.kubernetes.io/job-completion-index"

// freeIndexes are those of an Indexed Job that no active or succeeded pod has; nil: the Job is not Indexed.
func freeIndexes(job *batch.Job, pods []*v1.Pod) []string {
	if job.Spec.CompletionMode != "Indexed" || job.Spec.Completions == nil {
		return nil
	}
	taken := map[string]bool{}
	for _, pod := range pods {
		if controller.IsPodActive(pod) || pod.Status.Phase == v1.PodSucceeded {
			taken[pod.Annotations[indexAnnotation]] = true
		}
	}
	free := []string{}
	for number := 0; number < int(*job.Spec.Completions); number++ {
		if index := strconv.Itoa(number); !taken[index] {
			free = append(free, index)
		}
	}
	return free
}

// templateOf is the template of the Job's next pod.
func templateOf(job *batch.Job, indexes []string, next int) *v1.PodTemplateSpec {
	if next >= len(indexes) {
		return &job.Spec.Template
	}
	template := job.Spec.Template.DeepCopy()
	if template.Annotations == nil {
		template.Annotations = map[string]string{}
	}
	template.Annotations[indexAnnotation] = indexes[next]
	field := &v1.ObjectFieldSelector{FieldPath: "metadata.annotations['" + indexAnnotation + "']"}
	variable := v1.EnvVar{Name: "JOB_COMPLETION_INDEX", ValueFrom: &v1.EnvVarSource{FieldRef: field}}
	for number := range template.Spec.Containers {
		container := &template.Spec.Containers[number]
		container.Env = append(container.Env, variable)
	}
	return template
}
"""


def main() -> None:
    """Change the sources in the folder of the first argument."""
    tree = Path(sys.argv[1])
    for name, before, added in _CHANGES:
        _replace(tree / name, before, before + added)
    conversion = tree / "pkg/apis/batch/v1/conversion.go"
    mode = "\tout.CompletionMode = in.CompletionMode\n"
    _replace(conversion, _CONVERSION, mode + _CONVERSION, times=2)
    generated = tree / "pkg/apis/batch/v1/zz_generated.conversion.go"
    last = f"\tout.{_TTL} = (*int32)(unsafe.Pointer(in.{_TTL}))\n"
    _replace(generated, last, last + mode, times=2)
    for before, after in _REPLACED:
        _replace(tree / "pkg/controller/job/job_controller.go", before, after)
    (tree / "pkg/controller/job/indexes.go").write_text(_INDEXES)


def _replace(path: Path, before: str, after: str, times: int = 1) -> None:
    text = path.read_text()
    if text.count(before) != times:
        raise SystemExit(f"{path} has not what indexed_jobs.py changes: {before!r}")
    path.write_text(text.replace(before, after))


if __name__ == "__main__":
    main()
