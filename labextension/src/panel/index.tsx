/** The panel of `%deploy_panel`: an anywidget around the endpoint that JupyterLab shows too. */
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import type { EndpointView, Problem } from '../generated';
import { JobsModel } from '../jobs';
import { problemError } from '../transport/request';
import { EventStream } from '../transport/stream';
import { widgetRequests } from '../transport/widgetRequests';
import { CommTransport, type WidgetModel } from './commTransport';
import { keepKeys } from './keys';
import { Panel } from './panel';

/** Draws one view of the panel; returns the function that removes it. */
function render({ model, el }: { model: WidgetModel; el: HTMLElement }): () => void {
  const transport = new CommTransport(model);
  const stream = new EventStream(transport);
  const jobs = new JobsModel(stream, transport);
  const requests = widgetRequests(transport, jobs);
  const name = String(model.get('name'));
  const endpoint = requests.endpointModel(name, null);
  const receive = (): void => {
    const problem = model.get('problem') as Problem | null;
    const view = model.get('view') as EndpointView;
    if (problem === null || endpoint.state.view === null) endpoint.receive(view);
    if (problem !== null) endpoint.receiveProblem(problemError(problem));
  };
  receive();
  model.on('change:view', receive);
  model.on('change:problem', receive);

  const host = document.createElement('div');
  host.className = 'nbd-Tab nbd-Panel';
  if (getComputedStyle(document.body).getPropertyValue('--jp-layout-color1') === '') {
    host.classList.add('nbd-mod-bare'); // not in JupyterLab: the panel brings the theme
  }
  keepKeys(host);
  el.append(host);
  // JupyterLab and each panel have a React of their own, whose ids would be equal: a label would
  // name an element of another one.
  const prefix = `panel-${Math.random().toString(36).slice(2)}`;
  const root = createRoot(host, { identifierPrefix: prefix });
  root.render(<Panel model={endpoint} transport={transport} jobs={jobs} requests={requests} />);
  return () => {
    root.unmount();
    model.off('change:view', receive);
    model.off('change:problem', receive);
    endpoint.dispose();
    jobs.dispose();
    stream.dispose();
    transport.dispose();
    host.remove();
  };
}

export default { render };
