/** A result page: HTML from Python, escaped there and sanitised again by the renderer. */
import * as React from 'react';

import type { ResultPageView } from '../../generated';
import type { Renderer } from '../../renderer';
import { Rendered } from './rendered';
import { Scrolled } from './scrolled';

export function ResultPage(props: { page: ResultPageView; renderer: Renderer }): React.JSX.Element {
  const { renderer } = props;
  return (
    <Scrolled className="nbd-ResultPage" label={props.page.title}>
      <Rendered renderer={renderer} mime="text/html" data={props.page.html} trusted={false} />
    </Scrolled>
  );
}
