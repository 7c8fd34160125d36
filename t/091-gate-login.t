#!/usr/bin/perl
# The access gate behind what logs a user in: auth_basic, auth_request with an oauth2-proxy-like application, satisfy; and the
# pages that a refused user gets.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64;
use Test::More;
use Scim;
use Scim::Gate;

my $app = Scim::Gate::application('http');
my $t = Scim->new(http => <<"EOH", server => <<"EOS", expect_log => [qr/rewrite or internal redirection cycle/]);
    scim_store main %%DIR%%/store size=64m;
    underscores_in_headers on;
    log_format gate '\$request_uri \$status \$scim_decision \$scim_denied_reason \$scim_user_name';
    
    # answers as oauth2-proxy does: /oauth2/auth with 202 and the user of the session, or with 401
    map \$cookie_session \$logged_in { ~^(.+)-session\$ \$1; }
    server {
        listen 127.0.0.1:%%PORT1%%;
        location = /oauth2/auth {
            if (\$logged_in = '') { return 401; }
            add_header X-Auth-Request-User \$logged_in always;
            add_header X-Got "\$http_x_user" always;
            return 202;
        }
        location /oauth2/ { return 200 "sign in: user=\$http_x_user"; }
    }
    # one TLS-less server whose users have no subject but what auth_request says
    server {
        listen 127.0.0.1:%%PORT2%%;
        scim_subject \$user tenant=acme;
        scim_require active;
        scim_header X-User \$scim_user_name;
        auth_request /oauth2/auth;
        auth_request_set \$user \$upstream_http_x_auth_request_user;
        auth_request_set \$got \$upstream_http_x_got;
        error_page 401 =302 /oauth2/start;
        location /oauth2/ { scim_require off; auth_request off; proxy_pass http://127.0.0.1:%%PORT1%%; }
        location = /oauth2/auth {
            scim_require off;
            auth_request off;
            internal;
            proxy_pass http://127.0.0.1:%%PORT1%%;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }
        location / { add_header X-Got "\$got" always; proxy_pass http://127.0.0.1:$app->{port}; }
        location /admins/ { scim_require group=Admins; proxy_pass http://127.0.0.1:$app->{port}; }
        # the subrequest is in a gated location, too
        location = /gated-auth { internal; auth_request off; proxy_pass http://127.0.0.1:%%PORT1%%/oauth2/auth; }
        location /gated/ { auth_request /gated-auth; proxy_pass http://127.0.0.1:$app->{port}; }
        # the gate of another location decides
        location = /decide { scim_subject \$cookie_session tenant=acme trusted; scim_require group=Admins; error_page 404 /none; scim_decide; }
        location /by-decide/ { scim_require off; auth_request /decide; proxy_pass http://127.0.0.1:$app->{port}; }
    }
EOH
    scim_subject "\$http_x_remote_user\$remote_user" tenant=acme trusted;
    scim_header X-User \$scim_user_name;
    location /scim/v2/ { scim main; }
    access_log %%DIR%%/gate.log gate;

    location /basic/ {
        auth_basic staff;
        auth_basic_user_file %%DIR%%/htpasswd;
        scim_subject \$remote_user tenant=acme trusted;
        scim_require active;
        proxy_pass http://127.0.0.1:$app->{port};
        # the application must not learn the password
        location /basic/kept/ { proxy_pass http://127.0.0.1:$app->{port}; }
        location /basic/page/ { error_page 401 =200 /login; proxy_pass http://127.0.0.1:$app->{port}; }
        location /basic/named/ { error_page 401 \@login; proxy_pass http://127.0.0.1:$app->{port}; }
        location /basic/token/ { scim_header Authorization "Bearer \$scim_user_id"; proxy_pass http://127.0.0.1:$app->{port}; }
    }
    location = /login { auth_basic off; proxy_pass http://127.0.0.1:$app->{port}; }
    location /any/ {
        satisfy any;
        deny all;
        auth_basic staff;
        auth_basic_user_file %%DIR%%/htpasswd;
        scim_subject \$remote_user tenant=acme trusted;
        scim_require active;
        proxy_pass http://127.0.0.1:$app->{port};
        location /any/local/ { allow 127.0.0.1; deny all; proxy_pass http://127.0.0.1:$app->{port}; }
    }
    location /all/ {
        satisfy all;
        auth_basic staff;
        auth_basic_user_file %%DIR%%/htpasswd;
        scim_subject \$remote_user tenant=acme trusted;
        scim_require active;
        proxy_pass http://127.0.0.1:$app->{port};
        location /all/deny/ { deny all; proxy_pass http://127.0.0.1:$app->{port}; }
        location /all/allow/ { allow 127.0.0.1; deny all; proxy_pass http://127.0.0.1:$app->{port}; }
    }

    # pages for those who are refused
    location /pages/ {
        scim_require group=Admins;
        error_page 401 \@login;
        error_page 403 /denied;
        proxy_pass http://127.0.0.1:$app->{port};
        location /pages/found/ { error_page 403 =200 /denied; proxy_pass http://127.0.0.1:$app->{port}; }
        location /pages/gated/ { error_page 403 /also-gated; error_page 401 \@also_gated; proxy_pass http://127.0.0.1:$app->{port}; }
        location /pages/loop/ {
            recursive_error_pages on;
            error_page 401 403 /pages/loop/again;
            proxy_pass http://127.0.0.1:$app->{port};
        }
        location /pages/named-loop/ {
            recursive_error_pages on;
            error_page 401 403 \@loop;
            proxy_pass http://127.0.0.1:$app->{port};
        }
    }
    location \@loop { scim_require group=Admins; recursive_error_pages on; error_page 401 403 \@loop; proxy_pass http://127.0.0.1:$app->{port}; }
    location \@login { scim_require off; proxy_pass http://127.0.0.1:$app->{port}; }
    location = /denied { scim_require off; default_type text/plain; return 200 "reason=\$scim_denied_reason decision=\$scim_decision"; }
    location = /also-gated { scim_require role=nobody-has; proxy_pass http://127.0.0.1:$app->{port}; }
    location \@also_gated { scim_require active; proxy_pass http://127.0.0.1:$app->{port}; }
    # the application's own errors
    location /intercept/ {
        scim_require active;
        proxy_intercept_errors on;
        error_page 404 /also-gated;
        proxy_pass http://127.0.0.1:$app->{port};
    }
EOS
$t->write_file(htpasswd => join '', map "$_:{PLAIN}secret\n", 'ada', 'bob', 'eve', 'zoe');
my $gate = Scim::Gate->new($t);
sub basic { return Authorization => 'Basic ' . encode_base64("$_[0]:" . ($_[1] // 'secret'), '') }
sub got { my ($r, $name) = @_; return join ',', $r->{body} =~ /^$name=(.*)$/mgi }

# --- auth_basic

for ([ada => 200, 'an active user'], [eve => 403, 'an inactive user'], [zoe => 403, 'a user whom the directory does not know']) {
    my ($user, $status, $name) = @$_;
    is $gate->ask('/basic/', undef, basic($user))->{status}, $status, "auth_basic and gate: $name gets $status";
}
is $gate->ask('/basic/', undef, basic('ada', 'wrong'))->{status}, 401, 'auth_basic refuses a wrong password before the gate';
is $gate->ask('/basic/', undef)->{status}, 401, 'auth_basic refuses a request without credentials';
is got($gate->ask('/basic/', undef, basic('ada'), 'X-User' => 'root', X_User => 'root'), 'X[-_]User'), 'ada',
    'the application gets the user of auth_basic in the header, not the one the client sent';
is got($gate->ask('/basic/kept/', undef, basic('ada')), 'Authorization'), { basic('ada') }->{Authorization},
    'Authorization reaches the application if scim_header does not name it';
is got($gate->ask('/basic/token/', undef, basic('ada')), 'Authorization'), "Bearer $gate->{id}{ada}",
    'scim_header replaces Authorization, and $remote_user stays the one who logged in';

for my $path ('/basic/page/', '/basic/named/') {
    my $r = $gate->ask($path, undef, basic('ada', 'wrong'), 'X-User' => 'ada');
    is got($r, 'BODY') . got($r, 'X-User'), '0', "$path: a user with a wrong password is nobody for the login page";
}

# --- satisfy

is $gate->ask('/any/', undef, basic('ada'))->{status}, 200, 'satisfy any: an active user with a password passes';
is $gate->ask('/any/', undef, basic('eve'))->{status}, 403, 'satisfy any: a password does not replace the gate';
is $gate->ask('/any/local/', undef)->{status}, 401, 'satisfy any: an allowed address does not replace the gate';
is $gate->ask('/any/local/', undef, basic('eve'))->{status}, 403, 'satisfy any: an allowed address does not let an inactive user pass';
is $gate->ask('/all/allow/', undef, basic('ada'))->{status}, 200, 'satisfy all: an active user passes who has address and password';
is $gate->ask('/all/allow/', undef, basic('eve'))->{status}, 403, 'satisfy all: the gate refuses an inactive user who has both';
is $gate->ask('/all/deny/', undef, basic('ada'))->{status}, 403, 'satisfy all: the gate does not replace an address';

# --- auth_request

my $proxy = $t->client(port => 2);
sub session {
    my ($path, $user, @headers) = @_;
    return $proxy->request(GET => $path, headers => [defined $user ? (Cookie => "session=$user-session") : (), @headers]);
}
my $r = session('/app', 'ada', 'X-User' => 'root', 'X_User' => 'root');
is $r->{status}, 200, 'auth_request and gate: a user with a session passes';
is got($r, 'X[-_]User'), 'ada', 'the application gets the user of the session';
is $r->{headers}{'x-got'}, undef, 'the subrequest of auth_request does not get the client\'s copy of the header';
is session('/app', 'eve')->{status}, 403, 'auth_request and gate: a session of an inactive user is refused';
is session('/admins/', 'bob')->{status}, 403, 'auth_request and gate: a session of a user who is not in the group is refused';
is session('/admins/', 'ada')->{status}, 200, 'auth_request and gate: a session of a user in the group passes';
$r = session('/app', undef);
is "$r->{status} $r->{body}", '302 sign in: user=', 'without a session error_page shows the sign-in page, which is exempt';
$r = session('/oauth2/start', undef, 'X-User' => 'root');
is "$r->{status} $r->{body}", '200 sign in: user=', 'the sign-in page is exempt, and gets no spoofed header';
is session('/oauth2/start', 'eve')->{status}, 200, 'an inactive user reaches the sign-in page';
is session('/gated/', 'ada')->{status}, 200, 'the subrequest of auth_request is not judged, even in a gated location';

# scim_decide as the target of auth_request
is session('/by-decide/', undef, Cookie => 'session=ada')->{status}, 200, 'auth_request to scim_decide lets a member pass';
is session('/by-decide/', undef, Cookie => 'session=bob')->{status}, 403, 'auth_request to scim_decide refuses others';
is session('/by-decide/', undef)->{status}, 302, 'auth_request to scim_decide answers 401 without a subject';

# --- error pages

$r = $gate->ask('/pages/x', undef);
is "$r->{status} " . got($r, 'REQUEST') =~ s/ HTTP.*//r, '401 GET /pages/x', 'a 401 of the gate goes to the named location @login';
$r = $gate->ask('/pages/x', 'bob');
is "$r->{status} $r->{body}", '403 reason=not_allowed decision=deny', 'a 403 of the gate goes to a page with $scim_denied_reason';
$r = $gate->ask('/pages/x', 'eve');
is "$r->{status} $r->{body}", '403 reason=inactive decision=deny', 'the page has the reason of an inactive user';
$r = $gate->ask('/pages/found/x', 'zoe');
is "$r->{status} $r->{body}", '200 reason=unknown decision=deny', 'error_page can change the status of the page';
$r = $gate->ask('/pages/x', 'ada');
is $r->{status}, 200, 'a user who passes gets no error page';
is $gate->ask('/pages/gated/x', 'eve')->{status}, 403, 'an error page in a gated location is refused: nginx sends its own page';
is $gate->ask('/pages/gated/x', undef)->{status}, 401, 'so is a named location';
is $gate->ask('/pages/loop/x', 'eve')->{status}, 500, 'error pages that refuse each other end after ten redirects';
is $gate->ask('/pages/named-loop/x', 'eve')->{status}, 500, 'so do named locations';
is $gate->ask('/pages/x', 'ada')->{status}, 200, 'the worker serves other requests';
is $gate->ask('/intercept/?status=404', 'ada')->{status}, 403, 'the page for an error of the application is judged by its own lines';

$t->quit;
my $log = Scim::_slurp("$t->{dir}/gate.log");
like $log, qr{^/pages/gated/x 403 deny inactive -$}m, 'the reason of the first refusal survives the second one in the access log';
like $log, qr{^/basic/ 401 - - -$}m, 'the access log names nobody for a wrong password';
like $log, qr{^/basic/ 200 allow - ada$}m, 'the access log names the user who passed';
like $log, qr{^/basic/ 403 deny unknown -$}m, 'the access log names nobody for an unknown user';
is join('', $t->complaints), '', 'no alert, no crash, no sanitizer report';
done_testing;
