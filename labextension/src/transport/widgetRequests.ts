/** The requests of widgets, over any transport. */
import { EndpointModel } from '../endpoint';
import { exact } from '../exact';
import type { EndpointView, Job, Preview, Verb } from '../generated';
import type { JobsModel } from '../jobs';
import { fieldsOfSchema } from '../verbRequests';
import type { Services } from '../widgets/ui/services';
import { requestAPI } from './request';
import type { Transport } from './transport';

type RequestBody = Readonly<Record<string, unknown>>;

export interface WidgetRequests extends Pick<Services, 'view' | 'call' | 'job' | 'fields'> {
  /** A model of an endpoint; `every`: see `EndpointModel`. */
  endpointModel(name: string, every?: number | null): EndpointModel;
}

export function widgetRequests(transport: Transport, jobs: JobsModel): WidgetRequests {
  const view = async <T>(name: string, request: RequestBody, signal?: AbortSignal): Promise<T> => {
    const json = name === 'form' ? { json: exact } : {}; // it contains users' data as values, the others as texts
    const options = { method: 'POST' as const, body: request, ...json, ...(signal && { signal }) };
    return (await requestAPI<T>(transport, `views/${name}`, options)).value;
  };
  const call = async <T>(verb: string, request: RequestBody, signal?: AbortSignal): Promise<T> => {
    const options = { method: 'POST' as const, body: request, json: exact };
    return (await requestAPI<T>(transport, verb, { ...options, ...(signal && { signal }) })).value;
  };
  const run = async (verb: Verb, request: RequestBody, revision?: number): Promise<Job> => {
    const started = await jobs.start(verb, request, revision);
    if (!('job' in started)) throw new Error(`the verb ${verb} has no job`);
    return started.job;
  };
  return {
    view,
    call,
    fields: async schema => fieldsOfSchema(transport, schema),
    job: async (verb, request) => jobs.ended((await run(verb as Verb, request)).id),
    endpointModel: (name, every) =>
      new EndpointModel(
        name,
        async () => view<EndpointView>('endpoint', { name }),
        {
          preview: async (verb, fields, revision) =>
            view<Preview>('preview', { name, verb, given: fields, if_revision: revision }),
          run: async (verb, fields, revision, step) => {
            const job = await run(verb, { name, ...fields }, revision);
            const onJob = (_: unknown, changed: Job): void => {
              if (changed.id === job.id && changed.step) step(changed.step);
            };
            jobs.changed.connect(onJob);
            try {
              return await jobs.ended(job.id);
            } finally {
              jobs.changed.disconnect(onJob);
            }
          }
        },
        every
      )
  };
}
