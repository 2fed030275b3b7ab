using System.Security.Claims;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Authentication;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Provisioner.Api;
using Provisioner.Appliance;
using Provisioner.Certificates;
using Provisioner.Certificates.Keys;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Auth.Oidc;

/// <summary>
/// Sign-in by an identity provider: authorization code with PKCE (RFC 7636). What comes of it is a session as any other; of the provider's tokens
/// nothing is kept.
/// </summary>
internal static class OidcSignIn
{
    public const string SchemeName = "oidc";

    private const string CallbackPath = "/sign-in/oidc/callback";

    /// <summary>Why somebody is back at the sign-in: a word for its page, the reason is in the events.</summary>
    public const string NoRole = "no-role", Taken = "taken", Failed = "failed";

    /// <exception cref="StartRefusedException">A file of the configuration cannot be used.</exception>
    public static void AddOidc(this AuthenticationBuilder authentication, OidcOptions options)
    {
        var (secret, authorities) = (SecretOf(options), AuthoritiesOf(options));
        authentication.AddOpenIdConnect(SchemeName, oidc =>
        {
            oidc.Authority = options.Issuer;
            oidc.ClientId = options.ClientId;
            oidc.ClientSecret = secret;
            oidc.ResponseType = OpenIdConnectResponseType.Code;
            // So that the browser comes back by GET, with its cookies.
            oidc.ResponseMode = OpenIdConnectResponseMode.Query;
            oidc.UsePkce = true;
            oidc.CallbackPath = CallbackPath;
            oidc.SignInScheme = AccessHandler.SchemeName;
            oidc.MapInboundClaims = false;
            oidc.SaveTokens = false;
            oidc.GetClaimsFromUserInfoEndpoint = true;
            oidc.DisableTelemetry = true;
            oidc.Scope.Clear();
            oidc.Scope.Add("openid");
            foreach (var scope in options.Scopes)
                oidc.Scope.Add(scope);
            oidc.ClaimActions.MapJsonKey(options.GroupsClaim, options.GroupsClaim);
            oidc.ClaimActions.MapJsonKey(options.NameClaim, options.NameClaim);
            foreach (var cookie in new[] { oidc.CorrelationCookie, oidc.NonceCookie })
            {
                cookie.SameSite = SameSiteMode.Lax;
                cookie.SecurePolicy = CookieSecurePolicy.Always;
                cookie.HttpOnly = true;
            }
            if (authorities is not null)
                oidc.BackchannelHttpHandler = new SocketsHttpHandler { SslOptions = new() { CertificateChainPolicy = TrustOnly.These(authorities) } };
            oidc.Events.OnTicketReceived = ticket => LetInAsync(ticket, options);
            oidc.Events.OnRemoteFailure = failure =>
            {
                Refuse(failure.HttpContext, "Sign-in at the identity provider", Texts.OneLine(failure.Failure?.Message ?? "it said no more", 300));
                failure.HandleResponse();
                failure.Response.Redirect($"/sign-in?problem={Failed}");
                return Task.CompletedTask;
            };
        });
    }

    /// <summary>Where the sign-in begins.</summary>
    public static void MapOidc(this IEndpointRouteBuilder app) => app.MapGet("/sign-in/oidc", async (HttpContext context, AccessOptions access, string? from = null) =>
    {
        if (access.Oidc is null)
            return Results.Redirect("/sign-in");
        // Only to a page of ours.
        var target = from is ['/', not ('/' or '\\'), ..] ? from : "/";
        try
        {
            await context.ChallengeAsync(SchemeName, new AuthenticationProperties { RedirectUri = target });
        }
        // Its metadata is fetched at the first sign-in: the provider may not answer.
        catch (Exception e) when (e is InvalidOperationException or HttpRequestException or IOException)
        {
            Refuse(context, "Sign-in at the identity provider", $"{access.Oidc.Issuer} cannot be asked: {Texts.OneLine(e.GetBaseException().Message, 300)}");
            return Results.Redirect($"/sign-in?problem={Failed}");
        }
        return Results.Empty;
    });

    private static async Task LetInAsync(TicketReceivedContext ticket, OidcOptions options)
    {
        var (context, person) = (ticket.HttpContext, ticket.Principal!);
        ticket.HandleResponse();
        var subject = person.FindFirstValue("sub") ?? "";
        var name = (person.FindFirstValue(options.NameClaim) ?? "").Trim().ToLowerInvariant();
        var groups = person.FindAll(options.GroupsClaim).Select(c => c.Value).ToList();
        if (subject.Length == 0 || Passwords.NameProblem(name) is not null)
        {
            Back(Failed, "Sign-in", name.Length == 0 ? $"the claim {options.NameClaim} is missing" : $"'{Texts.OneLine(name, 64)}' is no name of a user here: {Passwords.UserName.Expected}");
            return;
        }
        if (options.RoleOf(groups) is not { } role)
        {
            Back(NoRole, $"Sign-in of {name}", groups.Count == 0 ? $"the claim {options.GroupsClaim} is missing"
                : $"none of the groups has a role in access.oidc.roles: {Texts.OneLine(string.Join(", ", groups.Take(20)), 300)}");
            return;
        }
        try
        {
            var user = await context.RequestServices.GetRequiredService<StateWriter>().ChangeAsync(editor => PeopleChanges.Vouch(editor, name, options.Issuer, subject, role), context.RequestAborted);
            AccessHandler.Set(context, await context.RequestServices.GetRequiredService<SignIn>().StartAsync(user, null, null, SessionEndpoints.OriginOf(context), context.RequestAborted));
            ticket.Response.Redirect(ticket.ReturnUri ?? "/");
        }
        catch (ChangeRefusedException taken)
        {
            Back(Taken, $"Sign-in of {name}", taken.Message);
        }

        void Back(string problem, string what, string reason)
        {
            Refuse(context, $"{what} at the identity provider", reason);
            ticket.Response.Redirect($"/sign-in?problem={problem}");
        }
    }

    private static void Refuse(HttpContext context, string what, string reason) =>
        context.RequestServices.GetRequiredService<Visitors>().Refuse($"{what} refused (from {context.Connection.RemoteIpAddress})", reason, null);

    private static string? SecretOf(OidcOptions options)
    {
        if (options.ClientSecretFile is not { } path)
            return null;
        try
        {
            using var secret = Secret.Read(path, "The client secret of access.oidc", "Correct access.oidc.clientSecretFile.");
            return Encoding.UTF8.GetString(secret.Bytes);
        }
        catch (KeyStoreException e)
        {
            throw new StartRefusedException(e.Message);
        }
    }

    private static X509Certificate2Collection? AuthoritiesOf(OidcOptions options)
    {
        if (options.CaFile is not { } path)
            return null;
        try
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPemFile(path);
            return authorities.Count > 0 ? authorities : throw new StartRefusedException($"There is no certificate in '{path}' (access.oidc.caFile). PEM of the authority that signed the provider's certificate belongs there.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new StartRefusedException($"'{path}' (access.oidc.caFile) cannot be used: {e.Message}");
        }
    }
}
