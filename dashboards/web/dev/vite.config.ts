/** `npm run dev`: the application with the mock API in front. The shipped build never sees this file. */
import { mergeConfig } from 'vite';

import base from '../vite.config';
// @ts-expect-error plain JavaScript without types
import { mockApi } from './mock/api.mjs';

export default mergeConfig(base, {
  plugins: [
    {
      name: 'mock-api',
      configureServer(server: import('vite').ViteDevServer) {
        server.middlewares.use((req, res, next) => {
          if (!mockApi(req, res)) next();
        });
      },
    },
  ],
});
