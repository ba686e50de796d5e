// secure.go - HTTP/2 over TLS by Go's own library, with all that its runtime does meanwhile.
//
//	secure serve ADDRESS CERTIFICATE            a server; its certificate is written to that file
//	secure get CERTIFICATE URL COUNT AT_ONCE    posts and fetches so often, each time of another length, and compares
//	                                            every byte; says how many requests of which protocol came back right
//
// Garbage is collected all the while, routines come and go by the hundred, and a profile is taken by SIGPROF.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"time"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "secure:", err)
		os.Exit(1)
	}
}

func certificate(address, file string) tls.Certificate {
	host, _, err := net.SplitHostPort(address)
	fail(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(err)
	template := x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(host)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	made, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	fail(err)
	fail(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made}), 0644))
	return tls.Certificate{Certificate: [][]byte{made}, PrivateKey: key}
}

func serve(address, file string) {
	server := http.Server{Addr: address, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate(address, file)}}}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	fail(server.ListenAndServeTLS("", ""))
}

// Bytes that are another's for each request.
func content(number int) []byte {
	data := make([]byte, number*7919%20000)
	state := uint32(number)
	for i := range data {
		state = state*1664525 + 1013904223
		data[i] = byte(state >> 24)
	}
	return data
}

func exchange(client *http.Client, url string, number int) (string, error) {
	sent := content(number)
	response, err := client.Post(url, "", bytes.NewReader(sent))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err == nil && !bytes.Equal(sent, got) {
		err = fmt.Errorf("request %d: %d bytes came back otherwise than %d were sent", number, len(got), len(sent))
	}
	return response.Proto, err
}

// Routines that come and go, sleep, hand over and leave garbage, until `stop`.
func disturb(stop chan bool) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		var wait sync.WaitGroup
		for i := 0; i < 200; i++ {
			wait.Add(1)
			go func() {
				defer wait.Done()
				runtime.Gosched()
				_ = make([]byte, 1<<12)
			}()
		}
		wait.Wait()
		runtime.GC()
	}
}

func get(file, url string, count, atOnce int) {
	pool := x509.NewCertPool()
	certificate, err := os.ReadFile(file)
	fail(err)
	pool.AppendCertsFromPEM(certificate)
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool}}}
	fail(pprof.StartCPUProfile(io.Discard))
	stop := make(chan bool)
	go disturb(stop)
	var wait sync.WaitGroup
	var lock sync.Mutex
	seen := map[string]int{}
	work := make(chan int)
	for i := 0; i < atOnce; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for number := range work {
				protocol, err := exchange(client, url, number)
				fail(err)
				lock.Lock()
				seen[protocol]++
				lock.Unlock()
			}
		}()
	}
	for i := 0; i < count; i++ {
		work <- i
	}
	close(work)
	wait.Wait()
	stop <- true
	pprof.StopCPUProfile()
	for protocol, times := range seen {
		fmt.Println(times, "by", protocol)
	}
}

func main() {
	switch {
	case len(os.Args) == 4 && os.Args[1] == "serve":
		serve(os.Args[2], os.Args[3])
	case len(os.Args) == 6 && os.Args[1] == "get":
		count, err := strconv.Atoi(os.Args[4])
		fail(err)
		atOnce, err := strconv.Atoi(os.Args[5])
		fail(err)
		get(os.Args[2], os.Args[3], count, atOnce)
	default:
		os.Exit(2)
	}
}
