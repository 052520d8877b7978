import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';
import { act, waitFor } from '@testing-library/react';
import * as React from 'react';
import { afterEach, expect, it } from 'vitest';

import { labRenderer } from '../src/labRenderer';
import { Chart } from '../src/widgets/ui/chart';
import { shown } from './sidebarWorld';

class Renderer extends Widget {
  async renderModel(): Promise<void> {
    await Promise.resolve();
  }
}

afterEach(() => {
  delete document.body.dataset.jpThemeLight;
});

it('is drawn anew in the colours of another theme', async () => {
  let drawn = 0;
  const rendermime = {
    mimeTypes: ['application/vnd.vegalite.v5+json'],
    createRenderer: () => {
      drawn += 1;
      return new Renderer();
    }
  } as unknown as IRenderMimeRegistry;
  document.body.dataset.jpThemeLight = 'false';
  shown(<Chart spec={{ mark: 'line', data: { values: [] } }} />, {
    renderer: labRenderer(rendermime)
  });
  await waitFor(() => {
    expect(drawn).toBe(1);
  });
  act(() => {
    document.body.dataset.jpThemeLight = 'true';
  });
  await waitFor(() => {
    expect(drawn).toBe(2);
  });
});
