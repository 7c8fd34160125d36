#!/usr/bin/perl
# The access gate and nginx's ways from one location to another: nested and named locations, internal redirects, subrequests,
# limit_except and if. Each location of a main request is judged by its own lines; a subrequest is not judged.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Gate;

my $dir = File::Temp->newdir;
my $app = Scim::Gate::application('http');
my $mirror = Scim::Gate::application('http', log => "$dir/mirror");
my $t = Scim->new(http => <<"EOH", server => <<"EOS");
    scim_store main %%DIR%%/store size=64m;
    underscores_in_headers on;
    log_format gate '\$request_uri \$status \$scim_decision \$scim_denied_reason';
    
EOH
    location /scim/v2/ { scim main; }
    access_log %%DIR%%/gate.log gate;
    scim_subject \$http_x_remote_user tenant=acme trusted;
    scim_header X-User \$scim_user_name;
    root %%DIR%%/html;
    location /open/ { proxy_pass http://127.0.0.1:$app->{port}; }
    location /admins/ { scim_require group=Admins; proxy_pass http://127.0.0.1:$app->{port}; }
    location /id/ { scim_require active; scim_header X-Id \$scim_user_id; proxy_pass http://127.0.0.1:$app->{port}; }
    location /respelled/ { scim_header x_user "other"; proxy_pass http://127.0.0.1:$app->{port}; }
    location /outside/ { scim_require active; scim_header X-User ""; proxy_pass http://127.0.0.1:$app->{port}; }

    # nested
    location /nest/ {
        scim_require active;
        proxy_pass http://127.0.0.1:$app->{port};
        location /nest/admins/ {
            scim_require group=Admins;
            proxy_pass http://127.0.0.1:$app->{port};
            location /nest/admins/all/ { scim_require active; proxy_pass http://127.0.0.1:$app->{port}; }
            location ~ /public/ { scim_require off; proxy_pass http://127.0.0.1:$app->{port}; }
            location /nest/admins/same/ { proxy_pass http://127.0.0.1:$app->{port}; }
        }
    }

    # internal redirects
    location /rewrite/in/ { rewrite ^ /admins/x last; }
    location /rewrite/out/ { scim_require group=Admins; rewrite ^ /open/x last; }
    location /rewrite/break/ { scim_require group=Admins; rewrite ^ /y break; proxy_pass http://127.0.0.1:$app->{port}; }
    location /index/ { index x.html; scim_require active; }
    location = /index/x.html { scim_require group=Admins; proxy_pass http://127.0.0.1:$app->{port}; }
    location /try/in/ { try_files /none /admins/x; }
    location /try/open/ { scim_require active; try_files /none /open/x; }
    location /try/named/ { scim_require active; try_files /none \@admins; }
    location /try/code/ { scim_require active; try_files /none =418; }
    location \@admins { scim_require group=Admins; proxy_ignore_headers X-Accel-Redirect; proxy_pass http://127.0.0.1:$app->{port}; }
    location \@open { proxy_pass http://127.0.0.1:$app->{port}; }
    location /accel/ { scim_require active; scim_header X-Id \$scim_user_id; proxy_pass http://127.0.0.1:$app->{port}; }
    location /internal/ { internal; scim_require group=Admins; proxy_pass http://127.0.0.1:$app->{port}; }
    location /files/ { internal; scim_require active; alias %%DIR%%/html/; }
    # a subject and a header of the same name
    location /same/open/ { scim_header X-Remote-User "\$scim_user_id"; proxy_pass http://127.0.0.1:$app->{port}; }
    location /same/active/ { scim_require active; scim_header X-Remote-User "\$scim_user_id"; proxy_pass http://127.0.0.1:$app->{port}; }
    location /same/by-id/ { scim_subject \$http_x_remote_user by=id tenant=acme trusted; scim_require active; proxy_pass http://127.0.0.1:$app->{port}; }

    # subrequests
    location /ssi/ { scim_require active; ssi on; ssi_types text/html; }
    location /ssi-open/ { scim_header X-User ""; ssi on; ssi_types text/html; }
    location /part/ { scim_require group=Admins; scim_header X-Part ""; proxy_pass http://127.0.0.1:$app->{port}; }
    location /mirrored/ { scim_require group=Admins; mirror /mirror; proxy_pass http://127.0.0.1:$app->{port}; }
    location = /mirror { internal; scim_require off; proxy_pass http://127.0.0.1:$mirror->{port}/\$request_method; }

    # methods
    location /except/ {
        scim_require active;
        limit_except GET POST { scim_require group=Admins; }
        proxy_pass http://127.0.0.1:$app->{port};
    }
    location /preflight/ {
        scim_require active;
        limit_except GET POST PUT PATCH DELETE { scim_require off; }
        proxy_pass http://127.0.0.1:$app->{port};
    }
    location /except-error/ {
        scim_require active;
        limit_except GET { scim_require group=Admins error=405; deny 192.0.2.1; }
        proxy_pass http://127.0.0.1:$app->{port};
    }

    # if
    location /if/ {
        scim_require group=Admins;
        set \$n 0;
        if (\$arg_if) { set \$n 1; }
        if (\$arg_proxy) { proxy_pass http://127.0.0.1:$app->{port}; }
        if (\$arg_return) { return 204; }
        # evaluated before the gate replaces the field
        if (\$http_x_user = root) { set \$n 2; }
        proxy_set_header X-Seen "\$http_x_user";
        proxy_pass http://127.0.0.1:$app->{port};
    }
EOS
mkdir "$t->{dir}/html" or die;
mkdir "$t->{dir}/html/$_" or die for qw(ssi ssi-open index);
$t->write_file("html/index/x.html", "static\n");
$t->write_file("html/secret.txt", "secret\n");
$t->write_file("html/$_/page.html", '<!--#include virtual="/part/x" --> user=<!--#echo var="scim_user_name" default="-" -->') for qw(ssi ssi-open);
my $gate = Scim::Gate->new($t);
sub got { my ($r, $name) = @_; return join ',', $r->{body} =~ /^$name=(.*)$/mgi }
sub is_judged {
    my ($path, $name, %expected) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %got = map { $_ => $gate->ask($path, $_)->{status} } keys %expected;
    is_deeply \%got, \%expected, $name or diag explain \%got;
}
my @spoof = ('X-Part' => 'root', X_Part => 'root', 'X-User' => 'root', X_User => 'root', 'X-Id' => '0', 'x_id' => '0');

# --- nested locations

is_judged '/nest/x', 'a location is judged by its line', ada => 200, bob => 200, eve => 403;
is_judged '/nest/admins/x', 'a nested location is judged by its own line', ada => 200, bob => 403;
is_judged '/nest/admins/all/x', 'a line of a nested location replaces that of the outer one', ada => 200, bob => 200, eve => 403;
is_judged '/nest/admins/same/x', 'a nested location without a line inherits', ada => 200, bob => 403;
is_judged '/nest/admins/public/x', '"off" in a nested location judges nobody', bob => 200, eve => 200;

# --- internal redirects

is_judged '/rewrite/in/', 'rewrite … last: the target is judged by its line', ada => 200, bob => 403;
is_judged '/rewrite/out/', 'rewrite … last out of a gated location: the target\'s lines are judged, not the source\'s', bob => 200;
is_judged '/rewrite/break/', 'rewrite … break stays in its location', ada => 200, bob => 403;
is_judged '/index/', 'index: the file\'s location is judged, too', ada => 200, bob => 403, eve => 403;
is_judged '/try/in/', 'try_files: the target is judged', ada => 200, bob => 403;
is_judged '/try/open/', 'try_files: the source is judged', bob => 200, eve => 403;
is_judged '/try/named/', 'try_files: a named location is judged', ada => 200, bob => 403, eve => 403;
is_judged '/try/code/', 'try_files with a status: only those who pass get it', bob => 418, eve => 403;
is_judged '/accel/?accel=/internal/x', 'X-Accel-Redirect: the target is judged by its line', ada => 200, bob => 403, eve => 403;
is_judged '/accel/?accel=@admins', 'X-Accel-Redirect to a named location: the target is judged', ada => 200, bob => 403;
is $gate->ask('/accel/?accel=/files/secret.txt', 'bob')->{body}, "secret\n", 'X-Accel-Redirect to a file: a user who passes gets it';
my $r = $gate->ask('/accel/?accel=/internal/x', 'ada', @spoof);
is got($r, 'X[-_]User'), 'ada', 'X-Accel-Redirect: the target gets the user once';
is got($r, 'X[-_]Id'), '', 'X-Accel-Redirect: a field that only the source adds does not reach the target';
is got($gate->ask('/accel/x', 'ada', @spoof), 'X[-_]Id'), $gate->{id}{ada}, 'without it the field reaches the application of the source';
is got($gate->ask('/try/named/', 'ada', @spoof), 'X[-_]User'), 'ada', 'try_files: the named location gets the user once';
is got($gate->ask('/accel/?accel=/outside/x', 'bob', @spoof), 'X[-_]User'), '', 'scim_header "" removes what the source has added';
is $gate->ask('/open/', 'bob', map { ("X-Other-$_" => $_) } 1 .. 100)->{status}, 200, 'a request with 100 fields passes';

is_deeply [grep /^X.User/i, split /\n/, $gate->ask('/respelled/', 'ada', @spoof)->{body}], ['x_user=other'],
    'scim_header with another spelling replaces that of the outer level';

# a field that is both the subject and replaced
$r = $gate->ask('/same/open/', 'ada');
is got($r, 'X-Remote-User'), $gate->{id}{ada}, 'a field that is the subject is replaced where nothing is required';
is got($gate->ask('/same/active/', 'ada'), 'X-Remote-User'), $gate->{id}{ada}, 'a field that is the subject is replaced where a user is required';
is $gate->ask('/same/active/?accel=/admins/x', 'ada')->{status}, 200, 'after X-Accel-Redirect the subject is what the client sent';
is $gate->ask("/same/active/?accel=/same/by-id/x", 'ada')->{status}, 403,
    'a field that the gate has added is not taken for a subject after X-Accel-Redirect';
my @twice = ('X-Remote-User' => 'bob');
is $gate->ask('/admins/x', 'ada', @twice)->{status}, 403, 'a subject header that arrives twice is refused';
is $gate->ask('/same/open/?accel=/admins/x', 'ada', @twice)->{status}, 403, 'also after X-Accel-Redirect from where it was removed';
is got($gate->ask('/open/', 'ada', @twice), 'X-User'), '', 'a subject header that arrives twice names nobody where nothing is required';
is $gate->ask('/admins/x', undef, X_Remote_User => 'ada')->{status}, 403,
    'a subject header in another spelling, which the server in front may have let through, is refused';
like $t->log, qr/the subject does not name one user exactly/, 'the log says so';

# --- subrequests

$r = $gate->ask('/ssi/page.html', 'bob', @spoof);
is $r->{status}, 200, 'a page with SSI is judged by its own line';
like $r->{body}, qr/^X-User=bob$/m, 'an SSI subrequest is not judged, and gets the user of the main request';
unlike $r->{body}, qr/root/, 'an SSI subrequest gets no field of the client in any spelling';
like $r->{body}, qr/user=bob/, 'SSI can show the user';
$r = $gate->ask('/ssi-open/page.html', undef, @spoof);
unlike $r->{body}, qr/X.User|X.Part/i, 'an SSI subrequest from a page without a user gets no field of the client either';
is $gate->ask('/mirrored/x', 'ada', @spoof)->{status}, 200, 'a mirrored request is judged';
is $gate->ask('/mirrored/refused', 'bob', @spoof)->{status}, 403, 'a refused request is not mirrored';
ok $t->wait_for(sub { Scim::_slurp("$dir/mirror") =~ /BODY/ }), 'the mirror gets a request';
is join(',', Scim::_slurp("$dir/mirror") =~ /^X[-_]User=(.*)$/mgi), 'ada', 'the mirror gets one request, with the user that the application gets';

# --- methods

sub method {
    my ($method, $path, $user, %o) = @_;
    return $gate->{client}->request($method => $path, headers => { defined $user ? ('X-Remote-User' => $user) : () }, %o)->{status};
}
is method(POST => '/except/', 'bob', body => 'x'), 200, 'limit_except does not concern the methods that it names';
is method(DELETE => '/except/', 'bob'), 403, 'limit_except: other methods are judged by its lines';
is method(DELETE => '/except/', 'ada'), 200, 'limit_except: a member passes';
is method(DELETE => '/except/', undef), 401, 'limit_except: nobody does not';
is method(OPTIONS => '/preflight/', undef), 200, 'limit_except { scim_require off; } lets a CORS preflight pass';
is method(GET => '/preflight/', undef), 401, 'other methods stay gated';
is method(HEAD => '/except/', 'eve'), 403, 'HEAD is judged as GET';
is method(PUT => '/except-error/', 'bob', body => 'x'), 405, 'error= counts in limit_except';
is method(PUT => '/except-error/', 'ada', body => 'x'), 200, 'limit_except with deny and scim_require';

# --- if

is_judged '/if/', 'a location with "if" is judged', ada => 200, bob => 403;
is_judged '/if/?if=1', 'if … set: the location is judged', ada => 200, bob => 403;
is_judged '/if/?proxy=1', 'if … proxy_pass: the location\'s lines are inherited', ada => 200, bob => 403;
is_judged '/if/?return=1', 'if … return answers before the gate', bob => 204;
like $t->log, qr/\[error\].*answered without the decision of "scim_require"/, 'the log says so';
is got($gate->ask('/if/', 'ada', @spoof), 'X-Seen'), 'ada', '$http_x_user is the replaced field, even if it was evaluated before';

$t->quit;
my $log = Scim::_slurp("$t->{dir}/gate.log");
like $log, qr{^/try/named/ 403 deny not_allowed$}m, 'the access log has the decision of the last location';
is join('', $t->complaints), '', 'no alert, no crash, no sanitizer report';
done_testing;
