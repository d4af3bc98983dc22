'use strict'

const name = location.pathname.split('/')[2]

/** Browse this dialect's document; where the demo is loaded, its credential is filled in. */
window.onload = async () => {
  const demo = await (await fetch('/docs/demo.json')).json()
  const page = SwaggerUIBundle({
    url: `/docs/${name}/openapi.json`,
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
