// web.go - HTTP by Go's own library: a program whose system calls libc knows nothing of when it is built without cgo.
//
//	web serve ADDRESS                  a server: /N is N bytes, /echo what was posted, /whoami the client's address
//	web get URL COUNT AT_ONCE          fetches it so often, says how many bytes came and the sum of their hashes
//	web tree URL PROGRAM [ARG...]      fetches it before, beside and after a child of each kind; says what they said
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		os.Exit(1)
	}
}

// The same bytes for whoever asks for so many.
func content(length int) []byte {
	data := make([]byte, length)
	state := uint32(1)
	for i := range data {
		state = state*1664525 + 1013904223
		data[i] = byte(state >> 24)
	}
	return data
}

func serve(address string) {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		length, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil || length < 0 || length > 64<<20 {
			http.NotFound(w, r)
			return
		}
		w.Write(content(length))
	})
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	http.HandleFunc("/whoami", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.RemoteAddr) })
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		fmt.Println("told to stop")
		os.Exit(0)
	}()
	fail(http.ListenAndServe(address, nil))
}

func fetch(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		return nil, errors.New(response.Status)
	}
	return io.ReadAll(response.Body)
}

// Garbage is collected, routines are preempted and timers run out all the while.
func get(url string, count, atOnce int) {
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = atOnce
	var wait sync.WaitGroup
	var lock sync.Mutex
	kinds := map[[32]byte]int{}
	bytesGot := 0
	work := make(chan int)
	for i := 0; i < atOnce; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for range work {
				data, err := fetch(url)
				fail(err)
				lock.Lock()
				kinds[sha256.Sum256(data)]++
				bytesGot += len(data)
				lock.Unlock()
			}
		}()
	}
	ticks := time.NewTicker(10 * time.Millisecond)
	go func() {
		for range ticks.C {
			runtime.GC()
		}
	}()
	for i := 0; i < count; i++ {
		work <- i
	}
	close(work)
	wait.Wait()
	for hash, seen := range kinds {
		fmt.Printf("%d times %x, %d bytes in all\n", seen, hash, bytesGot)
	}
}

func tree(url string, command []string) {
	for i := 0; i < 3; i++ {
		child := exec.Command(command[0], command[1:]...)
		child.Stdin = bytes.NewReader(content(1000))
		beside := make(chan error)
		go func() {
			_, err := fetch(url)
			beside <- err
		}()
		said, err := child.CombinedOutput()
		fail(err)
		fail(<-beside)
		os.Stdout.Write(said)
	}
	if err := exec.Command("/nonexistent").Run(); !errors.Is(err, os.ErrNotExist) {
		fail(fmt.Errorf("a program that is not there: %v", err))
	}
	sleeper := exec.Command("sleep", "100")
	fail(sleeper.Start())
	fail(sleeper.Process.Kill())
	if err := sleeper.Wait(); err == nil || err.Error() != "signal: killed" {
		fail(fmt.Errorf("a child that was killed: %v", err))
	}
	executable, err := os.Executable()
	fail(err)
	fmt.Println(executable)
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		serve(os.Args[2])
	case len(os.Args) == 5 && os.Args[1] == "get":
		count, err := strconv.Atoi(os.Args[3])
		fail(err)
		atOnce, err := strconv.Atoi(os.Args[4])
		fail(err)
		get(os.Args[2], count, atOnce)
	case len(os.Args) >= 4 && os.Args[1] == "tree":
		tree(os.Args[2], os.Args[3:])
	default:
		os.Exit(2)
	}
}
