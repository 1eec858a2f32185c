package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const (
	// Between two looks at something that is about to happen.
	pollInterval = 50 * time.Millisecond
	// A program that does not end by itself after SIGTERM is killed.
	stopLimit = 20 * time.Second
	// Enough of a log to see what went wrong.
	tailLines = 25
)

// process is a running program with its log in a file.
type process struct {
	name    string
	command *exec.Cmd
	logPath string
	ended   chan error
}

// start runs a program in the background. Its output goes to NAME.log in the folder.
func start(folder, name, program string, environment []string, args ...string) (*process, error) {
	logPath := filepath.Join(folder, name+".log")
	output, err := os.Create(logPath)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	command := exec.Command(program, args...)
	command.Env = append(os.Environ(), environment...)
	command.Stdout, command.Stderr = output, output
	// The program ends with us, however we end.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p := &process{name: name, command: command, logPath: logPath, ended: make(chan error, 1)}
	go func() { p.ended <- command.Wait(); close(p.ended) }()
	return p, nil
}

// stop ends the program by SIGTERM, or by SIGKILL if it does not obey.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopLimit):
		_ = p.command.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not end within %v of SIGTERM", p.name, stopLimit)
	}
}

// log is all that the program has written so far.
func (p *process) log() string {
	text, err := os.ReadFile(p.logPath)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (p *process) tail() string {
	lines := strings.Split(strings.TrimRight(p.log(), "\n"), "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	return fmt.Sprintf("--- %s\n%s\n", p.logPath, strings.Join(lines, "\n"))
}

// await waits until ready says so; it ends early with the program's log if the program ends.
func (p *process) await(what string, limit time.Duration, ready func() (bool, error)) error {
	deadline := time.Now().Add(limit)
	var last error
	for time.Now().Before(deadline) {
		done, err := ready()
		if done {
			return nil
		}
		last = err
		select {
		case err := <-p.ended:
			return fmt.Errorf("%s ended (%v) before %s\n%s", p.name, err, what, p.tail())
		case <-time.After(pollInterval):
		}
	}
	return fmt.Errorf("%s: no %s within %v (%v)\n%s", p.name, what, limit, last, p.tail())
}

// awaitLog waits for a line of the log and returns its first group.
func (p *process) awaitLog(pattern string, limit time.Duration) (string, error) {
	expression := regexp.MustCompile(pattern)
	var found string
	err := p.await("log line "+pattern, limit, func() (bool, error) {
		match := expression.FindStringSubmatch(p.log())
		if match == nil {
			return false, nil
		}
		found = match[len(match)-1]
		return true, nil
	})
	return found, err
}

// run runs a program to its end and returns what it wrote to its standard output.
func run(limit time.Duration, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	var output, errors bytes.Buffer
	command.Stdout, command.Stderr = &output, &errors
	if err := command.Run(); err != nil {
		text := errors.String()
		if len(text) > 2000 {
			text = text[len(text)-2000:]
		}
		return "", fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, text)
	}
	return output.String(), nil
}

// freePort is a port that was free for TCP and UDP a moment ago.
func freePort() (int, error) {
	for range [20]struct{}{} {
		stream, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := stream.Addr().(*net.TCPAddr).Port
		packets, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		stream.Close()
		if err == nil {
			packets.Close()
			return port, nil
		}
	}
	return 0, errors.New("no port is free for TCP and UDP")
}
