#!/usr/bin/perl
# The access gate in front of applications of every kind: what reaches them, caches, bodies, clients that leave.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Gate;

my %app = map { $_ => Scim::Gate::application($_) } qw(http fastcgi scgi uwsgi);
my %port = map { $_ => $app{$_}{port} } keys %app;
my $t = Scim->new(http => <<"EOH", server => <<"EOS");
    scim_store main %%DIR%%/store size=64m;
    underscores_in_headers on;
    ignore_invalid_headers off;
    proxy_cache_path %%DIR%%/cache keys_zone=pages:1m;
    client_body_buffer_size 4k;
    server {
        listen 127.0.0.1:%%PORT1%% %%HTTP2%%;
        location / { return 200 "X-User=\$http_x_user\\nX-Id=\$http_x_id\\n"; }
    }
EOH
    location /scim/v2/ { scim main; }
    scim_subject \$http_x_remote_user tenant=acme trusted;
    scim_header X-User \$scim_user_name;
    scim_header X-Id \$scim_user_id;
    scim_require active;
    location /http/ { proxy_pass http://127.0.0.1:$port{http}; }
    location /fastcgi/ { fastcgi_pass 127.0.0.1:$port{fastcgi}; fastcgi_param REQUEST_URI \$request_uri; }
    location /scgi/ { scgi_pass 127.0.0.1:$port{scgi}; scgi_param REQUEST_URI \$request_uri; }
    location /uwsgi/ { uwsgi_pass 127.0.0.1:$port{uwsgi}; uwsgi_param REQUEST_URI \$request_uri; }
    location /grpc/ { grpc_pass grpc://127.0.0.1:%%PORT1%%; }

    # what people do with header fields
    location /own-header/ { proxy_set_header Host example.com; proxy_set_header X-Real-IP \$remote_addr; proxy_pass http://127.0.0.1:$port{http}; }
    location /copies/ { proxy_set_header X-Copy "\$http_x_user/\$scim_user_name"; proxy_pass http://127.0.0.1:$port{http}; }
    location /no-headers/ { proxy_pass_request_headers off; proxy_set_header X-User \$scim_user_name; proxy_pass http://127.0.0.1:$port{http}; }
    location /constant/ { scim_header X-User "user \$scim_user_name of acme"; scim_header X-None \$arg_none; proxy_pass http://127.0.0.1:$port{http}; }

    # caches
    proxy_cache pages;
    proxy_cache_valid 1h;
    proxy_cache_methods GET;
    location /shared/ { proxy_cache_key \$uri; proxy_pass http://127.0.0.1:$port{http}; }
    location /own/ { proxy_cache_key "\$scim_user_id \$uri"; proxy_pass http://127.0.0.1:$port{http}; }
    location /own/admins/ { scim_require group=Admins; proxy_cache_key "\$scim_user_id \$uri"; proxy_pass http://127.0.0.1:$port{http}; }
    location /uncached/ { proxy_cache off; proxy_pass http://127.0.0.1:$port{http}; }
    location /unbuffered/ { proxy_cache off; proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:$port{http}; }
    location /dead/ { proxy_cache off; proxy_pass http://127.0.0.1:%%PORT9%%; }
EOS
my $gate = Scim::Gate->new($t);
my $c = $gate->{client};
sub got { my ($r, $name) = @_; return join ',', $r->{body} =~ /^$name=(.*)$/mgi }
# Every spelling of which CGI, PHP or WSGI makes the same variable
my @spoof = map { ("X-$_" => 'root', "x_$_" => 'root', "X_$_" => 'root', "X-$_" => 'root2', "x.$_" => 'root', uc("x-$_") => 'root') } qw(User Id);

# --- kinds of applications

for my $kind (qw(http fastcgi scgi uwsgi grpc)) {
    my $r = $gate->ask("/$kind/", 'ada', @spoof);
    my $x = $kind =~ /gi$/ ? 'HTTP_X.' : 'X[-_.]';
    is "$r->{status} " . got($r, "${x}User") . ' ' . got($r, "${x}Id"), "200 ada $gate->{id}{ada}",
        "$kind: the application gets the user once, and nothing of the client in any spelling" or diag $r->{body};
    is $gate->ask("/$kind/", 'eve', @spoof)->{status}, 403, "$kind: an inactive user is refused";
    is $gate->ask("/$kind/", undef, @spoof)->{status}, 401, "$kind: a request without a subject is refused";
}
my $r = $gate->ask('/own-header/', 'ada', @spoof);
is got($r, 'X[-_.]User') . ' ' . got($r, 'Host'), 'ada example.com', 'a location with a proxy_set_header of its own sends the user';
is got($gate->ask('/copies/', 'ada', @spoof), 'X-Copy'), 'ada/ada', '$http_* and $scim_user_* in proxy_set_header are of the user';
is got($gate->ask('/no-headers/', 'ada', @spoof), 'X[-_.]User'), 'ada', 'without proxy_pass_request_headers, variables give the user';
$r = $gate->ask('/constant/', 'ada', 'X-None' => 1);
is got($r, 'X-User') . got($r, 'X-None') , 'user ada of acme', 'scim_header with text around a variable; an empty value adds nothing';

# --- caches

is got($gate->ask('/own/page', $_), 'X-User'), $_, "a cache with \$scim_user_id in its key has a page of $_" for qw(ada bob ada);
is got($gate->ask('/shared/page', $_), 'X-User'), 'ada', 'a cache without it gives all users the first one\'s page' for qw(ada bob);
is $gate->ask('/shared/page', 'eve')->{status}, 403, 'a cached page is not given to an inactive user';
is $gate->ask('/shared/page', undef)->{status}, 401, 'a cached page is not given to nobody';
is $gate->ask('/own/admins/page', 'ada')->{status}, 200, 'a page for a group is cached';
is $gate->ask('/own/admins/page', 'bob')->{status}, 403, 'the cached page is not given to others';
my $urn = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
sub activate {
    my ($user, $active) = @_;
    return $gate->{scim}->request(PATCH => "/scim/v2/Users/$gate->{id}{$user}", json => { schemas => [$urn],
        Operations => [{ op => 'replace', path => 'active', value => $active ? JSON::PP::true : JSON::PP::false }] })->{status};
}
is activate('ada', 0), 200, 'ada is deactivated';
is $gate->ask('/own/page', 'ada')->{status}, 403, 'her own cached page is not given to her any longer';
is activate('ada', 1), 200, 'ada is activated';

# --- bodies

my @user = (headers => { 'X-Remote-User' => 'ada' });
my @other = (headers => { 'X-Remote-User' => 'eve' });
for (['in memory', 100], ['in a file', 100_000]) {
    my ($name, $size) = @$_;
    for my $path ('/uncached/', '/unbuffered/') {
        is got($c->request(POST => $path, @user, body => 'x' x $size), 'BODY'), $size, "$path: a body $name reaches the application";
        is $c->request(POST => $path, @other, body => 'x' x $size)->{status}, 403, "$path: a request with a body $name is refused";
        is $c->request(GET => $path, @user)->{status}, 200, '… and the connection serves the next request';
    }
    is got($c->request(POST => '/uncached/', @user, body => 'x' x $size, chunked => 1000), 'BODY'), $size,
        "a chunked body $name reaches the application";
    is $c->request(POST => '/uncached/', @other, body => 'x' x $size, chunked => 1000)->{status}, 403,
        "a request with a chunked body $name is refused";
    is $c->request(GET => '/uncached/', @user)->{status}, 200, '… and the connection serves the next request';
    $r = $c->request(POST => '/uncached/', @user, body => 'x' x $size, expect => 1);
    is "$r->{status} $r->{continued} " . got($r, 'BODY'), "200 1 $size", "Expect: 100-continue: a body $name is asked for and sent";
    $r = $c->request(POST => '/uncached/', @other, body => 'x' x $size, expect => 1);
    is "$r->{status} $r->{continued}", '403 0', "Expect: 100-continue: a refused client is not asked for a body $name";
    is lc($r->{headers}{connection}), 'close', '… and its connection is closed, as no body follows';
    is $c->request(GET => '/uncached/', @user)->{status}, 200, '… and another connection serves the next request';
}
my @answers = map $_->{status}, $c->pipeline(map [GET => '/uncached/', headers => { 'X-Remote-User' => $_ }], qw(ada eve bob eve ada));
is "@answers", '200 403 200 403 200', 'each of several requests at once on a connection is judged by itself';

# --- clients and applications that are gone

for (1 .. 20) {
    my $leaving = $t->client;
    $leaving->send(GET => '/uncached/?hang=1', headers => { 'X-Remote-User' => 'ada' });
    $leaving->close;
}
is $c->request(GET => '/uncached/', @user)->{status}, 200, 'after 20 clients that left a waiting application the next request is served';
is $c->request(GET => '/dead/', @user)->{status}, 502, 'an application that does not run is answered with 502';
is $c->request(GET => '/dead/', @other)->{status}, 403, 'an inactive user does not learn so';
$t->finish;
