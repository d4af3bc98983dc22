// Reads a ServiceMonitor as JSON from standard input, and fails where its schema does.
import { readFileSync } from 'node:fs'
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor'

const monitor = JSON.parse(readFileSync(0, 'utf8'))
new ServiceMonitor(monitor).validate()
console.log(`${monitor.metadata.name} is valid`)
