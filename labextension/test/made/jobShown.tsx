import { RenderMimeRegistry, standardRendererFactories } from '@jupyterlab/rendermime';
import { render } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { vi } from 'vitest';

import type { Job, JobEvent } from '../../src/generated';
import type { JobActions } from '../../src/jobActions';
import { labRenderer } from '../../src/labRenderer';
import { noProgress, withEvent } from '../../src/progress';
import type { ProblemError } from '../../src/transport/request';
import { JobView } from '../../src/widgets/jobs/jobView';
import { trans } from './deploying';

/** A job's actions whose calls can be seen. */
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types -- each is a spy of its own type
export function actions() {
  return {
    openEndpoint: vi.fn(),
    openReport: vi.fn(),
    cellOpener: vi.fn<JobActions['cellOpener']>(),
    tryAgain: vi.fn(),
    listImages: vi.fn(),
    runVerb: vi.fn(),
    cellInserter: () => undefined,
    force: vi.fn<JobActions['force']>(),
    cancel: vi.fn<JobActions['cancel']>(),
    resultPage: vi.fn<JobActions['resultPage']>(),
    renderer: labRenderer(new RenderMimeRegistry({ initialFactories: standardRendererFactories })),
    logInUrl: '/lab',
    show: vi.fn()
  };
}

/** Shows a job; ``becomes`` shows another state of it. */
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types -- each is a spy of its own type
export function show(one: Job, events: JobEvent[] = [], away: ProblemError | null = null) {
  const said = actions();
  const view = (shown: Job): React.ReactElement => (
    <JobView
      job={shown}
      progress={events.reduce(withEvent, noProgress)}
      away={away}
      actions={said}
      trans={trans}
    />
  );
  const { rerender, unmount } = render(view(one));
  return {
    ...said,
    unmount,
    user: userEvent.setup(),
    becomes: (other: Job) => {
      rerender(view(other));
    }
  };
}

export const problem = (
  given: Partial<NonNullable<Job['problem']>>
): NonNullable<Job['problem']> => ({
  code: 'gate_failed',
  title: 'Refused',
  status: 409,
  detail: 'accuracy 0.91 is below 0.95',
  remedy: 'train a better one',
  details: '',
  errors: [],
  report: '',
  findings: [],
  revision: null,
  history: [],
  ...given
});
