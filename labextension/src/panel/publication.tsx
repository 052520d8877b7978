/** A publication from the panel: its form, then its job. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { labelsOf, VERBS } from '../generated';
import type { JobActions } from '../jobActions';
import type { JobsModel } from '../jobs';
import type { Transport } from '../transport';
import type { Texts } from '../verbFields';
import { fieldsOfVerb, publishTarget } from '../verbRequests';
import { JobPanel } from '../widgets/jobs/jobPanel';
import { useLoaded } from '../widgets/ui/hooks';
import { LoadFailure, Waiting } from '../widgets/ui/parts';
import { VerbForm } from '../widgets/verbs/verbForm';

/** The fields of a form, or the job that it started. */
export type PublicationState = { readonly texts: Texts } | { readonly job: string };

export function Publication(props: {
  state: PublicationState;
  transport: Transport;
  jobs: JobsModel;
  actions: JobActions;
  show: React.Dispatch<React.SetStateAction<PublicationState | null>>;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { state, jobs, actions, trans } = props;
  if ('texts' in state) return <Form {...props} texts={state.texts} />;
  return <JobPanel key={state.job} id={state.job} jobs={jobs} actions={actions} trans={trans} />;
}

function Form(props: {
  texts: Texts;
  transport: Transport;
  jobs: JobsModel;
  show: React.Dispatch<React.SetStateAction<PublicationState | null>>;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { texts, transport, jobs, show, trans } = props;
  const loaded = useLoaded('publish', async () =>
    Promise.all([fieldsOfVerb(transport, 'publish'), publishTarget(transport, texts.name ?? null)])
  );
  if (loaded.error !== null) return <LoadFailure loaded={loaded} />;
  if (!loaded.value) return <Waiting words={trans.__('Loading the form …')} />;
  const [fields, target] = loaded.value;
  return (
    <VerbForm
      summary={trans.__(VERBS.publish.summary)}
      action={labelsOf(trans).publish.replace(/…$/, '')}
      warns={false}
      fields={fields}
      given={{ ...target, ...texts }}
      endpoints={[texts.name ?? '']}
      send={async request => {
        const started = await jobs.start('publish', request as never);
        if ('job' in started) show({ job: started.job.id });
      }}
      close={() => {
        show(now => (now && 'job' in now ? now : null)); // after it was sent, its job is shown
      }}
      trans={trans}
    />
  );
}
