import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { MimeModel } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';

import type { Renderer } from './renderer';

/** JupyterLab's renderers. */
export function labRenderer(rendermime: IRenderMimeRegistry): Renderer {
  return {
    get mimeTypes() {
      return rendermime.mimeTypes;
    },
    create: (mime, element) => {
      const made = rendermime.createRenderer(mime);
      Widget.attach(made, element);
      return {
        draw: async (data, metadata, trusted) =>
          made.renderModel(
            new MimeModel({
              trusted,
              data: { [mime]: data as never },
              metadata: { [mime]: metadata as never }
            })
          ),
        dispose: () => {
          if (made.node.isConnected) Widget.detach(made);
          made.dispose();
        }
      };
    }
  };
}
