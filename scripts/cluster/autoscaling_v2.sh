#!/usr/bin/env bash
# Serve autoscaling/v2 (since Kubernetes 1.23) by the sources of 1.20 in the folder $1: v2beta2's types under that name.
#
# So the HorizontalPodAutoscalers that nbdeploy writes can be applied. This is a change of ours to Kubernetes.
set -euo pipefail
cd "$1"
for folder in staging/src/k8s.io/api/autoscaling pkg/apis/autoscaling; do
  cp -r $folder/v2beta2 $folder/v2
  rm -f $folder/v2/*_test.go $folder/v2/BUILD $folder/v2/zz_generated.prerelease-lifecycle.go
  sed -i 's/v2beta2/v2/g; s#^// +k8s:prerelease-lifecycle-gen.*##' $folder/v2/*
done
sed -i 's#^\t"k8s.io/kubernetes/pkg/apis/autoscaling/v2beta2"#\tv2 "k8s.io/kubernetes/pkg/apis/autoscaling/v2"\n&#
  s#^\tutilruntime.Must(v2beta2.AddToScheme(scheme))#\tutilruntime.Must(v2.AddToScheme(scheme))\n&#
  s#v2beta2.SchemeGroupVersion))#v2beta2.SchemeGroupVersion, v2.SchemeGroupVersion))#' \
  pkg/apis/autoscaling/install/install.go
sed -i 's#^\tautoscalingapiv2beta2 .*#\tautoscalingapiv2 "k8s.io/api/autoscaling/v2"\n&#
  s#^\tif apiResourceConfigSource.VersionEnabled(autoscalingapiv2beta2.*#\tif apiResourceConfigSource.VersionEnabled(autoscalingapiv2.SchemeGroupVersion) {\n\t\tstorageMap, err := p.v2beta2Storage(apiResourceConfigSource, restOptionsGetter)\n\t\tif err != nil {\n\t\t\treturn genericapiserver.APIGroupInfo{}, false, err\n\t\t}\n\t\tapiGroupInfo.VersionedResourcesStorageMap[autoscalingapiv2.SchemeGroupVersion.Version] = storageMap\n\t}\n&#' \
  pkg/registry/autoscaling/rest/storage_autoscaling.go
sed -i 's#^\tautoscalingapiv2beta2 .*#\tautoscalingapiv2 "k8s.io/api/autoscaling/v2"\n&#
  s#^\t\tautoscalingapiv2beta2.SchemeGroupVersion,#\t\tautoscalingapiv2.SchemeGroupVersion,\n&#' \
  pkg/controlplane/instance.go
sed -i 's#^\t{Group: "autoscaling", Version: "v2beta2"}.*#&\n\t{Group: "autoscaling", Version: "v2"}: {group: 17500, version: 30},#' \
  cmd/kube-apiserver/app/aggregator.go
rm -f pkg/generated/openapi/zz_generated.openapi.go
