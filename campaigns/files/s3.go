package files

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3 keeps contents as objects of one bucket, on anything that speaks S3. Let the bucket's own rules end uploads that were
// begun and never finished.
type S3 struct {
	client *minio.Client
	bucket string
	prefix string
}

// S3Options say where the bucket is.
type S3Options struct {
	Endpoint  string // host or host:port
	Secure    bool   // https
	Bucket    string
	Region    string // us-east-1 where it is empty
	AccessKey string
	SecretKey string
	Prefix    string // before every key, such as "erased/": a store of its own in the same bucket
}

// partSize is how much of a content of unknown length is sent at once, in bytes; that much memory is used for it. 10,000
// parts make the largest content: 80 GB.
const partSize = 8 << 20

// NewS3 returns the store in a bucket. It does not connect; Check does.
func NewS3(o S3Options) (*S3, error) {
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	c, err := minio.New(o.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Secure: o.Secure, Region: o.Region, MaxRetries: 3,
	})
	if err != nil {
		return nil, err
	}
	return &S3{client: c, bucket: o.Bucket, prefix: o.Prefix}, nil
}

// Check asks whether the bucket is there and may be used. The error is a sentence for the operator.
func (s *S3) Check(ctx context.Context) error {
	ok, err := s.client.BucketExists(ctx, s.bucket)
	if err != nil {
		return fmt.Errorf("the bucket %s at %s cannot be used: %w", s.bucket, s.client.EndpointURL().Host, err)
	}
	if !ok {
		return fmt.Errorf("there is no bucket %s at %s", s.bucket, s.client.EndpointURL().Host)
	}
	return nil
}

// Put stores a content in one request, or in parts where its size is not known.
func (s *S3) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	if !isKey(key) {
		return fmt.Errorf("files: %q is not the key of a content", key)
	}
	_, err := s.client.PutObject(ctx, s.bucket, s.prefix+key, r, size, minio.PutObjectOptions{ContentType: "application/octet-stream", PartSize: partSize})
	return err
}

// Get opens a content.
func (s *S3) Get(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	o, info, _, err := minio.Core{Client: s.client}.GetObject(ctx, s.bucket, s.prefix+key, minio.GetObjectOptions{})
	if err != nil {
		if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
			err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
		}
		return nil, 0, err
	}
	return o, info.Size, nil
}

// Delete removes a content.
func (s *S3) Delete(ctx context.Context, key string) error {
	return s.client.RemoveObject(ctx, s.bucket, s.prefix+key, minio.RemoveObjectOptions{})
}

// List gives every content. Objects that are not of this store are passed over.
func (s *S3) List(ctx context.Context, fn func(Blob) error) error {
	ctx, stop := context.WithCancel(ctx) // ends the listing when fn gives up
	defer stop()
	for o := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix, Recursive: true}) {
		if o.Err != nil {
			return o.Err
		}
		key := strings.TrimPrefix(o.Key, s.prefix)
		if !isKey(key) {
			continue
		}
		if err := fn(Blob{Key: key, Size: o.Size, Modified: o.LastModified}); err != nil {
			return err
		}
	}
	return ctx.Err()
}
