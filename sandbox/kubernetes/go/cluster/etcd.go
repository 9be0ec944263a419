package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// startSeconds is how long etcd may take to open its folder: an empty one takes 0.2 s here, one
// after a kill -9 has its log to replay.
const startSeconds = 30

// runEtcd serves one member on loopback. It does not fsync: the data lives as long as the sandbox.
func runEtcd() int {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	folder := flags.String("data-dir", "", "folder of the data")
	client := flags.String("listen-client-url", "", "where the API server finds it")
	peer := flags.String("listen-peer-url", "", "for other members, of which there are none")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return 2
	}
	config := embed.NewConfig()
	config.Dir = *folder
	config.LogLevel = "error" // "warn" writes a line per request on slow disks
	config.UnsafeNoFsync = true
	clientURL, err := url.Parse(*client)
	if err != nil {
		return fail(err)
	}
	peerURL, err := url.Parse(*peer)
	if err != nil {
		return fail(err)
	}
	config.ListenClientUrls = []url.URL{*clientURL}
	config.AdvertiseClientUrls = []url.URL{*clientURL}
	config.ListenPeerUrls = []url.URL{*peerURL}
	config.AdvertisePeerUrls = []url.URL{*peerURL}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return fail(err)
	}
	defer server.Close()
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(startSeconds * time.Second):
		return fail(fmt.Errorf("not ready after %d s", startSeconds))
	}
	select {
	case <-signalContext().Done():
		return 0
	case err := <-server.Err():
		return fail(err)
	}
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "etcd:", err)
	return 1
}
