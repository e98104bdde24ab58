package mailer

import (
	"strings"
	"testing"
	"time"
)

func sampleMessage() Message {
	para := "Living with pain that nobody sees is work; the bill that is before the House would make the wait for a first appointment shorter, and it says so in one line. "
	return Message{
		MessageID: "d.AQgBAZqy3W9wdlYyI3mPuYzO_AAAAAAJ1yk2mX3JQ2m8Yz3Xw8Y@act.example.org", EnvelopeFrom: "bounces+AQgBAZqy3W9wdlYyI3mPuYzO_AAAAAAJ1yk2mX3JQ2m8Yz3Xw8Y@act.example.org",
		FromName: "Wennick Coalition", FromAddress: "hello@act.example.org", ReplyTo: "office@act.example.org", To: "june.okafor@example.org", ToName: "June Okafor",
		Date: time.Date(2027, 3, 9, 10, 0, 0, 0, time.UTC), Subject: "The vote is on Tuesday – two minutes are enough", Text: strings.Repeat(para+"\n\n", 12),
		HTML: "<!doctype html><html><body>" + strings.Repeat("<p style=\"margin:0 0 16px;font-size:17px\">"+para+"</p>\n", 25) + "</body></html>",
		Bulk: true, UnsubscribeURL: "https://act.example.org/u/AQIBAZqy3W9wdlYyI3mPuYzO_AAAAAAJ1yk2mX3JQ2m8Yz3Xw8Y", ListID: "newsletter-000000.act.example.org",
	}
}

// Building the bytes of one mail of 7.5 KB.
func BenchmarkBuild(b *testing.B) {
	m := sampleMessage()
	b.Logf("%d bytes of parts", len(m.Text)+len(m.HTML))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Bytes(m); err != nil {
			b.Fatal(err)
		}
	}
}
