/** A result page: HTML from Python, escaped there and sanitised again by the renderer. */
import * as React from 'react';

import type { ResultPageView } from '../../generated';
import type { Renderer } from '../../renderer';
import { Rendered } from './rendered';

export function ResultPage(props: { page: ResultPageView; renderer: Renderer }): React.JSX.Element {
  const { renderer } = props;
  return (
    <div className="nbd-ResultPage">
      <Rendered renderer={renderer} mime="text/html" data={props.page.html} trusted={false} />
    </div>
  );
}
