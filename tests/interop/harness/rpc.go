package main

import (
	"encoding/json"
	"fmt"
	"net"
	"time"
)

// callLimit is how long one answer may take: a light client waits 10 s for a server, and tries
// again.
const callLimit = 40 * time.Second

// client speaks JSON-RPC over a geth.ipc socket, one call at a time.
type client struct {
	conn    net.Conn
	decoder *json.Decoder
	id      int
}

// failure is an error that the other side returned.
type failure struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func (f *failure) Error() string {
	return fmt.Sprintf("%d %s %s", f.Code, f.Message, f.Data)
}

func dial(path string) (*client, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, decoder: json.NewDecoder(conn)}, nil
}

func (c *client) close() { c.conn.Close() }

// call returns the raw result, a *failure, or what went wrong on the way.
func (c *client) call(method string, params ...any) (json.RawMessage, error) {
	c.id++
	if params == nil {
		params = []any{}
	}
	request, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": c.id, "method": method, "params": params,
	})
	if err != nil {
		return nil, err
	}
	if err := c.conn.SetDeadline(time.Now().Add(callLimit)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return nil, err
	}
	for {
		var reply struct {
			ID     int             `json:"id"`
			Result json.RawMessage `json:"result"`
			Error  *failure        `json:"error"`
		}
		if err := c.decoder.Decode(&reply); err != nil {
			return nil, fmt.Errorf("%s: %w", method, err)
		}
		if reply.ID != c.id {
			continue
		}
		if reply.Error != nil {
			return nil, reply.Error
		}
		return reply.Result, nil
	}
}

// ask decodes the result of a call.
func (c *client) ask(result any, method string, params ...any) error {
	raw, err := c.call(method, params...)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return json.Unmarshal(raw, result)
}
