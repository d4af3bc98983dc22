'use strict'

// A proxy may have the service below a path of its own: it stands in the links of the page.
const root = new URL(document.currentScript.src).pathname.replace(/\/docs\/assets\/.*/, '')
const DIALECTS = {
  deskera: { path: '/v1/crm/activities/', method: 'PUT', subject: 'name' },
  achieveapex: { path: '/activities/', method: 'PATCH', subject: 'subject' }
}
const field = (id) => document.getElementById(id)

/** Make a call of a dialect on the chosen activity; return its status and its body as text. */
async function call(name, method, body) {
  const path = root + DIALECTS[name].path + encodeURIComponent(field('activity').value)
  const headers = { 'x-access-token': field('credential').value.trim(), accept: 'application/json' }
  if (body) headers['content-type'] = 'application/json'
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: 'no-store' })
  return { line: `${method} ${path}: ${response.status}`, ok: response.ok, text: await response.text() }
}

/** Show the activity as both dialects show it now. */
async function show() {
  await Promise.all(Object.keys(DIALECTS).map(async (name) => {
    const answer = await call(name, 'GET')
    field(`${name}-call`).textContent = answer.line
    field(`${name}-body`).textContent = JSON.stringify(JSON.parse(answer.text), null, 2)
  }))
}

/** Run what a form asks for; say so if the service cannot be reached. */
async function attempt(work) {
  try {
    field('outcome').textContent = (await work()) || ''
  } catch (error) {
    field('outcome').textContent = `That did not work: ${error.message}`
  }
}

field('record').addEventListener('submit', (event) => {
  event.preventDefault()
  attempt(show)
})

field('change').addEventListener('submit', (event) => {
  event.preventDefault()
  const { method, subject } = DIALECTS[event.submitter.value]
  attempt(async () => {
    const answer = await call(event.submitter.value, method, { [subject]: field('subject').value })
    await show()
    return answer.ok ? `${answer.line}. Both dialects show it.` : `${answer.line}: ${answer.text}`
  })
})

attempt(async () => {
  const demo = await (await fetch(`${root}/docs/demo.json`)).json()
  if (!demo.deskera) return
  field('hint').textContent = 'This is the demo’s key, which works in both dialects. Change the record as one and see it as the other.'
  field('credential').value = demo.deskera
  field('activity').value = demo.activity_id
  field('subject').value = 'Written once, read twice'
  await show()
})
