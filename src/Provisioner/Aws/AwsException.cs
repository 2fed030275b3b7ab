namespace Provisioner.Aws;

/// <summary>AWS refused, or could not be asked. The message is for people and holds no secret.</summary>
internal sealed class AwsException : Exception
{
    /// <param name="operation">As in <c>rolesanywhere:ListCrls</c>.</param>
    /// <param name="status">HTTP's; 0 when there was no answer.</param>
    /// <param name="code">AWS's own word, such as <c>AccessDeniedException</c>.</param>
    public AwsException(string operation, int status, string code, string message, Exception? inner = null)
        : base(status == 0 ? $"{operation} could not be asked of AWS: {message}" : $"AWS refused {operation}: {message} ({code}, HTTP {status})", inner) =>
        (Operation, Status, Code, Said) = (operation, status, code, message);

    public string Operation { get; }

    public int Status { get; }

    public string Code { get; }

    /// <summary>What AWS said, alone.</summary>
    public string Said { get; }

    public bool IsNotFound => Status == 404 || Code is "ResourceNotFoundException" or "NoSuchEntity" or "NoSuchEntityException";

    public bool IsDenied => Code is "AccessDeniedException" or "AccessDenied" or "UnauthorizedOperation";

    /// <summary>The same may work in a moment.</summary>
    public bool IsPassing => Status is 0 or 429 or >= 500 || Code.Contains("Throttl", StringComparison.Ordinal) || Code is "TooManyRequestsException" or "RequestLimitExceeded";
}

/// <summary>The configuration gives no credentials, or they cannot be had now.</summary>
internal sealed class NoAwsCredentialsException(string message, Exception? inner = null) : Exception(message, inner);
