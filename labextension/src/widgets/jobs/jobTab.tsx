import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { JobPanel, type JobPanelProps } from './jobPanel';

/** A job in a tab of its own. */
export function createJobTab(props: JobPanelProps): ReactWidget {
  const widget = ReactWidget.create(<JobPanel {...props} />);
  widget.addClass('nbdeploy-JobTab');
  return widget;
}
