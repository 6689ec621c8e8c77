/** Files in an S3 bucket. Attempts, time-outs and connections are bounded. */
import { DeleteObjectsCommand, GetObjectCommand, HeadBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SightlineError } from '../../errors.js';
import type { PtzSettings } from '../config/settings.js';
import { awsError, errorName } from './aws_errors.js';
import type { FileStore } from './files.js';

const LIST_LIMIT = 50_000;
const DELETE_BATCH = 500;

/** Credentials of the file; undefined = the SDK's own chain. */
export function awsCredentials(aws: PtzSettings['aws']): { credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } } {
  const { access_key_id, secret_access_key, session_token } = aws;
  if (access_key_id === undefined || secret_access_key === undefined) return {};
  return { credentials: { accessKeyId: access_key_id, secretAccessKey: secret_access_key, ...(session_token === undefined ? {} : { sessionToken: session_token }) } };
}

export function s3Files(aws: PtzSettings['aws'], bucket: string): FileStore {
  const client = new S3Client({
    region: aws.region,
    ...awsCredentials(aws),
    ...(aws.s3_endpoint === undefined ? {} : { endpoint: aws.s3_endpoint, forcePathStyle: true }),
    maxAttempts: 4, // with the SDK's jittered backoff
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 60_000, throwOnRequestTimeout: true },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const fault = (what: string, error: unknown): SightlineError => {
    if (errorName(error) === 'NoSuchBucket' || errorName(error) === 'NotFound') {
      return new SightlineError('PTZ_STORAGE_FAILED', `S3 bucket ${bucket}: expected a bucket, there is none (aws.s3_bucket)`, { cause: error });
    }
    return awsError('PTZ_STORAGE_FAILED', `S3 bucket ${bucket}: ${what}`, error);
  };
  const abort = (signal: AbortSignal | undefined): { abortSignal?: AbortSignal } => (signal === undefined ? {} : { abortSignal: signal });
  return {
    location: (key) => `s3://${bucket}/${key}`,
    async put(key, body, content_type, signal) {
      try {
        await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: content_type }), abort(signal));
      } catch (error) {
        throw fault(`cannot write ${key}`, error);
      }
    },
    async get(key, signal) {
      try {
        const { Body: body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }), abort(signal));
        return body === undefined ? undefined : Buffer.from(await body.transformToByteArray());
      } catch (error) {
        if (errorName(error) === 'NoSuchKey') return undefined;
        throw fault(`cannot read ${key}`, error);
      }
    },
    async list(prefix, signal) {
      const keys: string[] = [];
      let token: string | undefined;
      try {
        do {
          const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...(token === undefined ? {} : { ContinuationToken: token }) }), abort(signal));
          keys.push(...(page.Contents ?? []).flatMap(({ Key: key }) => (key === undefined ? [] : [key])));
          token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
        } while (token !== undefined && keys.length < LIST_LIMIT);
      } catch (error) {
        throw fault(`cannot list ${prefix}`, error);
      }
      return keys.sort();
    },
    async remove(keys, signal) {
      for (let at = 0; at < keys.length; at += DELETE_BATCH) {
        const objects = keys.slice(at, at + DELETE_BATCH).map((Key) => ({ Key }));
        try {
          await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: objects, Quiet: true } }), abort(signal));
        } catch (error) {
          throw fault('cannot delete', error);
        }
      }
    },
    clean: async () => undefined, // an object is there whole or not at all
    async check(signal) {
      try {
        await client.send(new HeadBucketCommand({ Bucket: bucket }), abort(signal));
      } catch (error) {
        throw fault('cannot be used', error);
      }
    },
    close: () => { client.destroy(); },
  };
}
