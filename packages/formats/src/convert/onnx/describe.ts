/** Describes an ONNX file without reading its weights. */
import type { Shape } from '@unroll/core';
import type { FileDescription } from '../format.js';
import type { ByteSource } from '../source.js';
import { labelOf } from './graph.js';
import { operators } from './operators/index.js';
import { damaged, readModel } from './protobuf.js';
import type { GraphProto, ModelProto, NodeProto, ValueInfoProto } from './schema.js';
import { dataTypeName } from './tensors.js';

export async function describeOnnx(source: ByteSource): Promise<FileDescription> {
  const model = await readModel(source);
  const { graph } = model;
  if (!graph) throw damaged(source.name, 'it has no graph');
  const shapes = new Map(
    [...graph.valueInfo, ...graph.input, ...graph.output].map((info) => [info.name, shapeOf(info)]),
  );
  const opset = model.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version;
  const producer = [model.producerName, model.producerVersion].filter((part) => part !== '').join(' ');
  const count = graph.node.length;
  return {
    format: 'onnx',
    title: `ONNX, opset ${opset ?? 'unknown'}, "${graph.name}", ${count} node${count === 1 ? '' : 's'}${producer && ` (${producer})`}`,
    parts: graph.node.map((node) => partOf(node, shapes)),
    tensors: graph.initializer.map(({ name, dims, dataType }) => ({
      name,
      shape: dims,
      dtype: dataTypeName(dataType),
    })),
    facts: propertiesOf(model, graph),
  };
}

function partOf(
  node: NodeProto,
  shapes: ReadonlyMap<string, Shape | null>,
): FileDescription['parts'][number] {
  const type =
    node.domain === '' || node.domain === 'ai.onnx' ? node.opType : `${node.domain}.${node.opType}`;
  const operator = operators.get(type);
  const unknown = operator
    ? node.attribute.map(({ name }) => name).filter((name) => !operator.attributes.includes(name))
    : [];
  const note = operator
    ? unknown.length > 0
      ? `the attribute ${unknown[0]} is not supported`
      : null
    : 'the operator is not supported';
  return {
    name: node.name || node.output[0] || labelOf(node),
    type,
    shape: shapes.get(node.output[0]) ?? null,
    supported: note === null,
    ...(note && { note }),
  };
}

function propertiesOf(model: ModelProto, graph: GraphProto): FileDescription['facts'] {
  const names = new Set(graph.initializer.map(({ name }) => name));
  const external = graph.initializer.filter(({ dataLocation }) => dataLocation === 1);
  const files = new Set(
    external.map(({ externalData }) => externalData.find(({ key }) => key === 'location')?.value ?? ''),
  );
  return [
    { name: 'ir version', value: `${model.irVersion}` },
    ...graph.input
      .filter(({ name }) => !names.has(name))
      .map((info) => ({ name: 'input', value: textOf(info) })),
    ...graph.output.map((info) => ({ name: 'output', value: textOf(info) })),
    ...[...files].map((file) => ({ name: 'weights in', value: file })),
    ...model.metadataProps.map(({ key, value }) => ({ name: key, value })),
  ];
}

function shapeOf({ type }: ValueInfoProto): Shape | null {
  return type?.tensorType?.shape?.dim.map(({ value }) => value) ?? null;
}

function textOf({ name, type }: ValueInfoProto): string {
  const tensor = type?.tensorType;
  const shape = tensor?.shape?.dim
    .map(({ value, param }) => (value >= 0 ? `${value}` : param || '?'))
    .join(', ');
  return `${name} [${shape ?? '?'}] ${dataTypeName(tensor?.elemType ?? 0)}`;
}
