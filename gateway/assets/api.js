'use strict'

// A proxy may have the service below a path of its own: it stands in the links of the page.
const root = new URL(document.currentScript.src).pathname.replace(/\/docs\/assets\/.*/, '')
const name = location.pathname.slice(root.length).split('/')[2]

/** Browse this dialect's document; where the demo is loaded, its credential is filled in. */
window.onload = async () => {
  const demo = await (await fetch(`${root}/docs/demo.json`)).json()
  const page = SwaggerUIBundle({
    url: `${root}/docs/${name}/openapi.json`,
    dom_id: '#page',
    deepLinking: true,
    persistAuthorization: true,
    validatorUrl: null,
    tryItOutEnabled: true,
    onComplete: () => {
      document.title = page.getState().getIn(['spec', 'json', 'info', 'title'], document.title)
      if (demo[name]) page.preauthorizeApiKey('accessToken', demo[name])
    }
  })
}
