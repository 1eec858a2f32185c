package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"
)

// enoughFailures of one comparison tell what is wrong; each may cost a time limit.
const enoughFailures = 8

// report counts checks. A failed one is printed at once.
type report struct {
	passed, failed int
}

func (r *report) check(err error, format string, values ...any) {
	what := fmt.Sprintf(format, values...)
	if err == nil {
		r.passed++
		return
	}
	r.failed++
	fmt.Printf("FAILED %s: %v\n", what, err)
}

// compact makes equal JSON values equal bytes.
func compact(raw json.RawMessage) string {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return "not JSON: " + string(raw)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// compare puts each question to both nodes.
func compare(r *report, title string, light, oracle *client, list []question) {
	kinds := map[string]int{}
	begin, failedBefore := time.Now(), r.failed
	for i, question := range list {
		if r.failed-failedBefore >= enoughFailures {
			r.check(fmt.Errorf("%d questions are not asked any more", len(list)-i), "%s", title)
			break
		}
		err := agree(light, oracle, question)
		if err == nil {
			kinds[question.kind]++
		}
		r.check(err, "%s: %s", title, question)
	}
	names := make([]string, 0, len(kinds))
	for kind, count := range kinds {
		names = append(names, fmt.Sprintf("%d %s", count, kind))
	}
	sort.Strings(names)
	fmt.Printf("%s: %d questions in %.1f s, same answers: %s\n", title, len(list),
		time.Since(begin).Seconds(), strings.Join(names, ", "))
}

// agree is nil if both nodes say the same and it is what the question expects.
func agree(light, oracle *client, question question) error {
	expected, expectedErr := oracle.call(question.method, question.params...)
	got, gotErr := light.call(question.method, question.params...)
	switch question.expects {
	case anError:
		if expectedErr == nil || !refused(gotErr) {
			return fmt.Errorf("full node %s %v, light client %s %v", expected, expectedErr, got,
				gotErr)
		}
		return nil
	case nothing:
		if expectedErr != nil || string(expected) != "null" {
			return fmt.Errorf("full node says %s %v", expected, expectedErr)
		}
		if refused(gotErr) {
			return nil
		}
	case anAnswer:
		if expectedErr != nil || string(expected) == "null" {
			return fmt.Errorf("full node says %s %v", expected, expectedErr)
		}
	}
	if gotErr != nil {
		return gotErr
	}
	if compact(got) != compact(expected) {
		return fmt.Errorf("full node %s, light client %s", compact(expected), compact(got))
	}
	return nil
}

// refusals are a light client's words for what cannot be had; a time limit or a lack of servers is
// none of them.
var refusals = []string{
	"header not found", "unknown block", "no trusted canonical hash trie",
	"execution reverted", "invalid opcode", "out of gas",
}

func refused(err error) bool {
	var answer *failure
	if !errors.As(err, &answer) {
		return false
	}
	for _, words := range refusals {
		if strings.Contains(answer.Message, words) {
			return true
		}
	}
	return false
}
