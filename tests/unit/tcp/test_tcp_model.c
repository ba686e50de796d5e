/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_model.c - which algorithms have a model of the path, and whose operations a connection has: tcp_model.c.
 */
#include "stack/tcp/tcp_model.h"
#include "tests/unit/scene.h"
#include <netinet/in.h>
#include <string.h>

static int choose(struct scene *scene, const char *name) {
    return socket_set_option(scene->host.stack, scene->socket, IPPROTO_TCP, TCP_CONGESTION, name,
                             (socklen_t)strlen(name));
}

static void an_algorithm_with_a_model_has_all_verbs_and_the_others_none(void **state) {
    (void)state;
    for (int i = 0; i < TCP_ALGORITHMS; i++) {
        const struct tcp_model_operations *operations = tcp_model_of((enum tcp_algorithm)i);
        bool models = i == TCP_BBR || i == TCP_BBR3;
        assert_int_equal(operations != NULL, models);
        if (operations)
            assert_true(operations->begin && operations->acknowledged && operations->lost &&
                        operations->recovery && operations->undo && operations->congested &&
                        operations->restart && operations->info);
    }
}

static void a_connection_has_the_verbs_of_its_algorithm(void **state) {
    struct scene scene;
    (void)state;
    connected(&scene, 65535, MSS);
    assert_null(tcp_model(scene.socket->tcp));
    assert_int_equal(choose(&scene, "bbr3"), 0);
    assert_ptr_equal(tcp_model(scene.socket->tcp), &tcp_bbr3_operations);
    assert_int_equal(choose(&scene, "bbr"), 0);
    assert_ptr_equal(tcp_model(scene.socket->tcp), &tcp_bbr_operations);
    assert_int_equal(scene.host.stack->models.used, 1);
    assert_int_equal(choose(&scene, "reno"), 0);
    assert_null(tcp_model(scene.socket->tcp));
    assert_int_equal(scene.host.stack->models.used, 0);
    scene_end(&scene);
}

static void without_memory_for_a_model_there_are_no_operations(void **state) {
    struct scene scene;
    (void)state;
    connected(&scene, 65535, MSS);
    scene.host.stack->models.limit = 0;
    assert_int_equal(choose(&scene, "bbr"), 0);
    assert_int_equal(scene.socket->tcp->congestion.algorithm, TCP_CUBIC);
    assert_null(tcp_model(scene.socket->tcp));
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_algorithm_with_a_model_has_all_verbs_and_the_others_none),
        cmocka_unit_test(a_connection_has_the_verbs_of_its_algorithm),
        cmocka_unit_test(without_memory_for_a_model_there_are_no_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
