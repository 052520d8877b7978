/** A verb from the panel, such as a publication: its form, then its job or its result. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { labelsOf, type ResultPageView, type Verb, VERBS } from '../generated';
import type { JobActions } from '../jobActions';
import type { JobsModel } from '../jobs';
import { textsOfWords } from '../namedCommands';
import { requestAPI } from '../transport/request';
import type { Transport } from '../transport/transport';
import type { Texts } from '../verbFields';
import {
  agreeToSettings,
  checkOf,
  EMPTY_START,
  fieldsOfVerb,
  type FormStart,
  publishDefaults
} from '../verbRequests';
import { JobPanel } from '../widgets/jobs/jobPanel';
import { useLoaded } from '../widgets/ui/hooks';
import { LoadFailure, Waiting } from '../widgets/ui/parts';
import { ResultPage } from '../widgets/ui/resultPage';
import { VerbForm } from '../widgets/verbs/verbForm';

/**
 * The fields of a form, the job that it started, or the result of a fast verb. `kept`: values of the
 * request that have no control.
 */
export type VerbState =
  | {
      readonly verb: Verb;
      readonly texts: Texts;
      readonly words?: readonly string[];
      readonly kept?: Readonly<Record<string, unknown>>;
    }
  | { readonly job: string }
  | { readonly page: ResultPageView };

export function VerbBox(props: {
  state: VerbState;
  transport: Transport;
  jobs: JobsModel;
  endpoint: string;
  actions: JobActions;
  show: React.Dispatch<React.SetStateAction<VerbState | null>>;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { state, jobs, actions, trans } = props;
  if ('verb' in state) return <Form {...props} key={JSON.stringify(state)} state={state} />;
  if ('page' in state) return <ResultPage page={state.page} renderer={actions.renderer} />;
  return <JobPanel key={state.job} id={state.job} jobs={jobs} actions={actions} trans={trans} />;
}

function Form(props: {
  state: Extract<VerbState, { verb: Verb }>;
  transport: Transport;
  jobs: JobsModel;
  endpoint: string;
  show: React.Dispatch<React.SetStateAction<VerbState | null>>;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { state, transport, jobs, endpoint, show, trans } = props;
  const { verb, texts, words = [], kept = {} } = state;
  const begin = async (): Promise<FormStart> =>
    verb === 'publish'
      ? publishDefaults(transport, texts.name ?? endpoint, texts.release)
      : EMPTY_START;
  const loaded = useLoaded(JSON.stringify(state), async () =>
    Promise.all([fieldsOfVerb(transport, verb), begin()])
  );
  if (loaded.error !== null) return <LoadFailure loaded={loaded} />;
  if (!loaded.value) return <Waiting words={trans.__('Loading the form …')} />;
  const [all, start] = loaded.value;
  const fields = all.filter(field => !Object.hasOwn(kept, field.name));
  const named = fields.some(field => field.name === 'name') ? { name: endpoint } : {};
  return (
    <VerbForm
      summary={trans.__(VERBS[verb].summary)}
      action={labelsOf(trans)[verb].replace(/…$/, '')}
      warns={VERBS[verb].destructive}
      fields={fields}
      given={{ ...named, ...start.texts, ...textsOfWords(words, fields), ...texts }}
      suggestions={{ name: [endpoint] }}
      check={checkOf(transport, verb)}
      settings={start.settings}
      agree={async file => {
        await agreeToSettings(transport, file);
        return begin();
      }}
      send={async request => {
        const started = await jobs.start(verb, { ...kept, ...request });
        if ('job' in started) {
          show({ job: started.job.id });
          return;
        }
        const query = { method: 'POST' as const, body: { verb, result: started.result } };
        const page = await requestAPI<ResultPageView>(transport, 'views/result_page', query);
        show({ page: page.value });
      }}
      close={() => {
        show(now => (now && !('verb' in now) ? now : null)); // after it was sent, its job is shown
      }}
      trans={trans}
    />
  );
}
