// Works round three defects of @ethereumjs/client 0.10.2 with @ethereumjs/devp2p 6.1.3 that keep
// its light sync from running against any server. Load it with `node --import`.
import { LES } from '@ethereumjs/devp2p'

const client = new URL('node_modules/@ethereumjs/client/dist/esm/src/', import.meta.url)
const { LesProtocol } = await import(new URL('net/protocol/lesprotocol.js', client))
const { Peer } = await import(new URL('net/peer/peer.js', client))

// Two constructors arm a timer that drops a peer without a Status, and only the second timer is
// ever cleared: every peer is dropped after 5 s. Arming a new one must clear the old one.
const timer = Symbol('status timer')
Object.defineProperty(LES.prototype, '_statusTimeoutId', {
  get() {
    return this[timer]
  },
  set(id) {
    clearTimeout(this[timer])
    this[timer] = id
  },
})

// Zero in a header request is sent as the byte 0x00, which is no canonical RLP integer.
const messages = Object.getOwnPropertyDescriptor(LesProtocol.prototype, 'messages').get
const isZero = (field) => field instanceof Uint8Array && field.length === 1 && field[0] === 0
Object.defineProperty(LesProtocol.prototype, 'messages', {
  get() {
    return messages.call(this).map((message) => {
      if (message.name !== 'GetBlockHeaders') return message
      const encode = (values) => {
        const [requestId, query] = message.encode(values)
        return [requestId, query.map((field) => (isZero(field) ? new Uint8Array() : field))]
      }
      return { ...message, encode }
    })
  },
})

// The head of a peer is only looked up for peers of the eth protocol.
const latest = Peer.prototype.latest
Peer.prototype.latest = async function () {
  if (this.eth || !this.les) return latest.call(this)
  const reply = await this.les.getBlockHeaders({ block: this.les.status.headHash, max: 1 })
  return reply?.headers[0]
}

// Not a defect: the log shortens hashes, and a check wants the whole one.
const { Chain } = await import(new URL('blockchain/chain.js', client))
const putHeaders = Chain.prototype.putHeaders
Chain.prototype.putHeaders = async function (...headers) {
  const count = await putHeaders.apply(this, headers)
  const head = this.headers.latest
  console.log(`stored header ${head.number} 0x${Buffer.from(head.hash()).toString('hex')}`)
  return count
}
