/** A result page: HTML from Python, escaped there and sanitised again by JupyterLab. */
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import * as React from 'react';

import type { ResultPageView } from '../../generated';
import { Rendered } from './rendered';

export function ResultPage(props: {
  page: ResultPageView;
  rendermime: IRenderMimeRegistry;
}): React.JSX.Element {
  const { rendermime } = props;
  return (
    <div className="nbd-ResultPage">
      <Rendered rendermime={rendermime} mime="text/html" data={props.page.html} trusted={false} />
    </div>
  );
}
