using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.Runtime.Credentials;

namespace Provisioner.Aws.Credentials;

/// <summary>Keys that sign requests.</summary>
/// <param name="SecretAccessKey">A secret, like the token.</param>
/// <param name="Expiration">Null when they do not end.</param>
internal sealed record AwsKeys(string AccessKeyId, string SecretAccessKey, string? SessionToken, DateTimeOffset? Expiration)
{
    /// <summary>Never in a log or a debugger's window by accident.</summary>
    public override string ToString() => $"AwsKeys {AccessKeyId} (secret redacted)";
}

/// <summary>Where the appliance's own credentials come from.</summary>
internal interface IAwsCredentials
{
    /// <summary>Whether there is a source at all.</summary>
    bool IsConfigured { get; }

    /// <summary>Good for at least another minute.</summary>
    /// <exception cref="NoAwsCredentialsException">There are none now; says why and what to do.</exception>
    ValueTask<AwsKeys> GetAsync(CancellationToken cancellation);
}

/// <summary>The configuration names no source.</summary>
internal sealed class NoCredentials : IAwsCredentials
{
    public bool IsConfigured => false;

    public ValueTask<AwsKeys> GetAsync(CancellationToken cancellation) => throw new NoAwsCredentialsException(
        "The appliance has no AWS credentials. Set 'aws.credentials' in its configuration: 'default' to use those of its environment or a shared file, 'roles-anywhere' once 'provisioner aws apply' has been run.");
}

/// <summary>What the SDK finds; it refreshes them by itself.</summary>
internal sealed class DefaultCredentials : IAwsCredentials
{
    public bool IsConfigured => true;

    public async ValueTask<AwsKeys> GetAsync(CancellationToken cancellation)
    {
        try
        {
            var found = await DefaultAWSCredentialsIdentityResolver.GetCredentialsAsync().WaitAsync(cancellation);
            var keys = await found.GetCredentialsAsync().WaitAsync(cancellation);
            return new AwsKeys(keys.AccessKey, keys.SecretKey, keys.UseToken ? keys.Token : null, null);
        }
        catch (Exception e) when (e is AmazonClientException or InvalidOperationException or HttpRequestException or CryptographicException or IOException)
        {
            throw new NoAwsCredentialsException(
                "The AWS SDK finds no credentials: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or AWS_PROFILE and AWS_SHARED_CREDENTIALS_FILE, in the service's environment (systemctl edit provisioner).", e);
        }
    }
}

/// <summary>The same credentials for clients of the AWS SDK.</summary>
internal sealed class SdkCredentials(IAwsCredentials source) : AWSCredentials
{
    public override ImmutableCredentials GetCredentials() => GetCredentialsAsync().GetAwaiter().GetResult();

    public override async Task<ImmutableCredentials> GetCredentialsAsync()
    {
        var keys = await source.GetAsync(CancellationToken.None).ConfigureAwait(false);
        return new ImmutableCredentials(keys.AccessKeyId, keys.SecretAccessKey, keys.SessionToken);
    }
}
